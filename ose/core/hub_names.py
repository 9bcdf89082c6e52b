"""Names that a hub's client turns into addresses, and into paths of its cache."""

from __future__ import annotations

import re

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_REVISION_PART = re.compile(r"[A-Za-z0-9_+=-][A-Za-z0-9_.+=-]*")
_MAX_REVISION_LENGTH = 200


def is_hub_part(text: str) -> bool:
    """Whether it can be an owner, a repository or a configuration."""
    return _PART.fullmatch(text) is not None and ".." not in text


def is_repository(text: str) -> bool:
    """Whether it can be a repository, with or without its owner."""
    parts = text.split("/")
    return len(parts) <= 2 and all(is_hub_part(part) for part in parts)


def is_revision(text: str) -> bool:
    """Whether it can be a commit, tag or branch: git's grammar for references, without its rarer characters.

    No such name leads out of a folder that it is looked for in.
    """
    parts = text.split("/")
    return (
        len(text) <= _MAX_REVISION_LENGTH
        and ".." not in text
        and all(_REVISION_PART.fullmatch(part) and not part.endswith((".", ".lock")) for part in parts)
    )
