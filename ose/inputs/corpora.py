"""Check the text of a job and freeze what it is."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from ose.artifacts.digests import digest_of_files
from ose.artifacts.regular_files import require_regular
from ose.core.job import CorpusFacts
from ose.core.spec import CorpusSpec
from ose.data.documents import iter_documents
from ose.data.hub_dataset import parse_dataset_id, pin_revision
from ose.errors import CorpusError


def inspect_corpus(spec: CorpusSpec, root: Path | None = None) -> CorpusFacts:
    """Expand the globs, check that every file holds text, and take a digest of the contents.

    A dataset of the hub is pinned to its present commit; its id with that commit stands for its contents.

    Empty files that a glob matches beside others are left out.

    Args:
        spec: The text.
        root: Folder that no file may lead out of, now and when it is read again; None if any may be named.

    Raises:
        CorpusError: A file is missing, empty, unreadable or none at all, a glob matches no text, or a file is held
            out and trained on at once.
    """
    train = _expanded(spec.train, "corpus.train", spec.text_field, root)
    validation = _expanded(spec.validation, "corpus.validation", spec.text_field, root)
    if both := set(train) & set(validation):
        raise CorpusError(f"{min(both)} is in corpus.train and in corpus.validation; held-out text must be other text")
    for source in (*train, *validation):
        if not _holds_text(source, spec.text_field, root):
            raise CorpusError(f"{source}: holds no text")
    labelled = [("train", each) for each in train] + [("validation", each) for each in validation]
    return CorpusFacts(
        train=train,
        validation=validation,
        digest=_digest(labelled, root),
        size_bytes=_size_bytes(labelled),
        root=None if root is None else str(root.absolute()),
    )


def _holds_text(source: str, text_field: str, root: Path | None) -> bool:
    return next(iter_documents([source], text_field, root), None) is not None


def _expanded(entries: Sequence[str], key: str, text_field: str, root: Path | None) -> tuple[str, ...]:
    """Absolute paths and pinned ids, each once, in the order given; a glob's matches are sorted."""
    sources = tuple(dict.fromkeys(source for entry in entries for source in _expand(entry, key, text_field, root)))
    if len(sources) > 1 and any(parse_dataset_id(source) for source in sources):
        raise CorpusError(f"{key}: a dataset of the hub stands alone, without other files or datasets")
    return sources


def _expand(entry: str, key: str, text_field: str, root: Path | None) -> list[str]:
    try:
        path = Path(entry).expanduser()
        if entry and path.is_dir():
            raise CorpusError(f"{key}: {entry} is a directory; name its files, as in {path / '*.txt'}")
        if path.is_file():
            return [str(path.resolve())]
        if glob.has_magic(entry):
            return _matches(path, entry, key, text_field, root)
        if entry and os.path.lexists(path):
            require_regular(path, root)
        dataset = parse_dataset_id(entry)
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{key}: {entry!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if dataset is None:
        raise CorpusError(f"{key}: {entry!r}: no such file")
    return [str(pin_revision(dataset))]


def _matches(pattern: Path, entry: str, key: str, text_field: str, root: Path | None) -> list[str]:
    matches = (Path(match) for match in glob.iglob(str(pattern), recursive=True))
    files = sorted(str(match.resolve()) for match in matches if match.is_file())
    if not files:
        raise CorpusError(f"{key}: {entry!r} matches no file")
    texts = [file for file in files if _holds_text(file, text_field, root)]
    if not texts:
        raise CorpusError(f"{key}: {entry!r} matches no file that holds text")
    return texts


def _digest(labelled: Sequence[tuple[str, str]], root: Path | None) -> str:
    paths = [(label, Path(source)) for label, source in labelled if not parse_dataset_id(source)]
    ids = [f"{label} {source}" for label, source in labelled if parse_dataset_id(source)]
    try:
        files = digest_of_files(paths, root)
    except OSError as error:
        raise CorpusError(f"{error.filename} cannot be read: {error.strerror}") from error
    return hashlib.sha256("\n".join([files, *ids]).encode()).hexdigest()


def _size_bytes(labelled: Sequence[tuple[str, str]]) -> int:
    """Of the files; a dataset of the hub takes no room here."""
    return sum(Path(source).stat().st_size for _, source in labelled if not parse_dataset_id(source))
