"""Check the text of a job and freeze what it is."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ose.artifacts.regular_files import require_regular
from ose.core.job import CorpusFacts
from ose.core.spec import CorpusSpec
from ose.data.documents import iter_documents
from ose.data.hub_dataset import parse_dataset_id, pin_revision
from ose.data.row_sides import iter_side
from ose.data.sniffing import require_content
from ose.data.sources import is_table, require_file
from ose.data.tables import RowCount, iter_rows
from ose.data.unchanged import corpus_digest
from ose.errors import CorpusError

_FIRST_ROWS = 1_000
"""Of each file or dataset, which are read when a job is submitted."""


def inspect_corpus(
    spec: CorpusSpec, root: Path | None = None, *, rows: bool = False, tables: bool = True
) -> CorpusFacts:
    """Expand the globs, check that every file holds text, and take a digest of the contents.

    A dataset of the hub is pinned to its present commit; its id with that commit stands for its contents.

    Files without text beside others with some are left out, whether named one by one or by a glob.

    Args:
        spec: The text.
        root: Folder that no file may lead out of, now and when it is read again; None if any may be named.
        rows: Whether each row is an item of its own, with a label as the case may be; else texts are documents.
        tables: Whether CSV and TSV are read by their columns; jobs of before may read each line as a document.

    Raises:
        CorpusError: A file is missing, empty, unreadable or none at all, a glob matches no text, a file is held
            out and trained on at once, also without its labels, a column is missing, or the first rows are bad.
    """
    holds_text = _FirstRows(spec, root) if rows else _FirstDocument(spec, root, tables)
    what = "row that can be used" if rows else "text"
    train, no_train = _holding(spec.train, "corpus.train", holds_text, root, what)
    validation, no_validation = _holding(spec.validation, "corpus.validation", holds_text, root, what)
    holds_general = _FirstDocument(spec, root, tables)
    general, no_general = _holding(spec.general, "corpus.general", holds_general, root, "text")
    for key, others in (("train", train), ("general", general)):
        if both := set(others) & set(validation):
            raise CorpusError(
                f"{min(both)} is in corpus.{key} and in corpus.validation; held-out text must be other text"
            )
    facts = CorpusFacts(
        train=train,
        validation=validation,
        digest="",
        size_bytes=_size_bytes((*train, *validation, *general)),
        root=None if root is None else str(root.absolute()),
        tables=tables and any(map(is_table, (*train, *validation, *general))),
        general=general,
        left_out=(*no_train, *no_validation, *no_general),
    )
    facts = replace(facts, digest=corpus_digest(facts))
    if rows:
        _require_both_sides(facts, spec)
    return facts


@dataclass(frozen=True, slots=True)
class _FirstDocument:
    """Tells of a source whether it has a document, and refuses one that does not hold what its name says."""

    spec: CorpusSpec
    root: Path | None
    tables: bool

    def __call__(self, source: str) -> bool:
        if self.tables:
            _require_content(source, self.spec, self.root)
        column, quotes = self.spec.columns.text, self.spec.quotes
        documents = iter_documents([source], column, self.root, tables=self.tables, quotes=quotes)
        return next(documents, None) is not None


@dataclass(frozen=True, slots=True)
class _FirstRows:
    """Tells of a source whether it has a usable row among the first ones, and refuses a bad one unless some may be."""

    spec: CorpusSpec
    root: Path | None

    def __call__(self, source: str) -> bool:
        spec, count = self.spec, RowCount(allowed_share=self.spec.skip_bad_rows)
        _require_content(source, spec, self.root)
        rows = iter_rows([source], spec.columns, self.root, quotes=spec.quotes, count=count)
        return len(list(islice(rows, _FIRST_ROWS))) > 0


def _require_content(source: str, spec: CorpusSpec, root: Path | None) -> None:
    if parse_dataset_id(source) is None:
        require_file(Path(source), root)
        require_content(Path(source), as_is=spec.as_is)


def _require_both_sides(facts: CorpusFacts, spec: CorpusSpec) -> None:
    """At least one row to train on, and one that is held out; of files named for either, each has been seen to."""
    if facts.validation:
        return
    if next(iter_side(facts, spec, "train"), None) is None:
        raise CorpusError("corpus.train has so few rows that all of them are held out; name more")
    if next(iter_side(facts, spec, "validation"), None) is None:
        raise CorpusError("corpus.train has so few rows that none is held out; name some as corpus.validation")


def _holding(
    entries: Sequence[str], key: str, holds_text: Callable[[str], bool], root: Path | None, what: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Absolute paths and pinned ids, each once, in the order given, a glob's matches sorted; and those without text."""
    sources = tuple(dict.fromkeys(source for entry in entries for source in _expand(entry, key, root)))
    if len(sources) > 1 and any(parse_dataset_id(source) for source in sources):
        raise CorpusError(f"{key}: a dataset of the hub stands alone, without other files or datasets")
    empty = tuple(source for source in sources if not holds_text(source))
    holding = tuple(source for source in sources if source not in set(empty))
    if empty and not holding:
        others = f", and neither do {len(empty) - 1} more of {key}" if len(empty) > 1 else ""
        raise CorpusError(f"{empty[0]}: holds no {what}{others}")
    return holding, empty


def _expand(entry: str, key: str, root: Path | None) -> list[str]:
    try:
        path = Path(entry).expanduser()
        if entry and path.is_dir():
            raise CorpusError(f"{key}: {entry} is a directory; name its files, as in {path / '*.txt'}")
        if path.is_file():
            return [str(path.resolve())]
        if glob.has_magic(entry):
            return _matches(path, entry, key)
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


def _matches(pattern: Path, entry: str, key: str) -> list[str]:
    matches = (Path(match) for match in glob.iglob(str(pattern), recursive=True))
    files = sorted(str(match.resolve()) for match in matches if match.is_file())
    if not files:
        raise CorpusError(f"{key}: {entry!r} matches no file")
    return files


def _size_bytes(sources: Sequence[str]) -> int:
    """Of the files; a dataset of the hub takes no room here."""
    return sum(Path(source).stat().st_size for source in sources if not parse_dataset_id(source))
