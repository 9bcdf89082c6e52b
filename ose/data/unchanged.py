"""Text is read as the job's digest names it, or not at all: what is made of it is kept under that digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from ose.artifacts.digests import digest_of_files
from ose.core.job import CorpusFacts
from ose.data.hub_dataset import parse_dataset_id
from ose.errors import CorpusError

T = TypeVar("T")


def corpus_digest(facts: CorpusFacts) -> str:
    """One digest over the contents of a corpus and what each file is for; a pinned dataset's id stands for its own.

    Raises:
        CorpusError: A file cannot be read.
    """
    labelled, root = _labelled(facts), None if facts.root is None else Path(facts.root)
    paths = [(label, Path(source)) for label, source in labelled if not parse_dataset_id(source)]
    ids = [f"{label} {source}" for label, source in labelled if parse_dataset_id(source)]
    try:
        files = digest_of_files(paths, root)
    except OSError as error:
        raise CorpusError(f"{error.filename} cannot be read: {error.strerror}") from error
    return hashlib.sha256("\n".join([files, *ids]).encode()).hexdigest()


def require_unchanged(facts: CorpusFacts) -> None:
    """Refuse text that is not what it was when the job was submitted. It is read for it, once a process.

    Raises:
        CorpusError: A file has changed, or cannot be read.
    """
    if corpus_digest(facts) != facts.digest:
        names = ", ".join(source for _, source in _labelled(facts)[:3])
        raise CorpusError(
            f"the text has changed since the job was submitted ({names}): put the files back as they were and resume "
            "the job, or submit a new one"
        )


def while_unchanged(facts: CorpusFacts, items: Iterable[T]) -> Iterator[T]:
    """What is read of a corpus, which must not change meanwhile either: then the end is an error, and nothing is kept.

    Raises:
        CorpusError: As `require_unchanged`.
    """
    require_unchanged(facts)
    before = _states(facts)
    yield from items
    if _states(facts) != before:
        require_unchanged(facts)


def _states(facts: CorpusFacts) -> list[tuple[int, ...]]:
    """By which the system tells that a file was written to."""
    files = [source for _, source in _labelled(facts) if not parse_dataset_id(source)]
    return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in map(os.stat, files)]


def _labelled(facts: CorpusFacts) -> list[tuple[str, str]]:
    """Every source with what it is for."""
    sides = {"train": facts.train, "validation": facts.validation, "general": facts.general}
    return [(side, source) for side, sources in sides.items() for source in sources]
