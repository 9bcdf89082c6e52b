"""Where a text stands between 0 and 1: by its hash, so that what is held out or drawn does not depend on any order."""

from __future__ import annotations

import hashlib
from typing import Literal

Side = Literal["train", "validation"]


def position_of(text: str, salt: str) -> float:
    """A number in [0, 1) that depends on the text alone, and for another salt is another one."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, salt=salt.encode()[:16]).digest()
    return int.from_bytes(digest, "big") / 2**64
