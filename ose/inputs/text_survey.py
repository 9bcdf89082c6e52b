"""Look at the texts of a corpus, as many as can be read while somebody waits: are they what was meant?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ose.core.job import CorpusFacts, TextFacts
from ose.core.spec import CorpusSpec
from ose.data.document_sides import side_documents
from ose.data.documents import DocumentCount, iter_documents
from ose.data.row_sides import iter_side
from ose.data.spelling import Spelling, require_spelling, spelling_of
from ose.data.tables import Row, RowCount, iter_rows
from ose.data.text_position import Side
from ose.errors import CorpusError
from ose.inputs.token_counts import tokenizer_of
from ose.tasks.teacher_folder import TeacherFolder

_MOST_SPELLED, _MOST_FILES = 2_000, 100
"""Texts of either side whose tokens are looked at, spread over so many files."""

_MOST_CHARACTERS = 1_000_000
"""Of these together."""

_MOST_HELD_OUT, _MOST_COMPARED = 20_000, 100_000
"""Texts held out, and texts of the training part that are looked through for them."""

_MOST_COMPARED_CHARACTERS = 100_000_000
"""Of either, read for them together: a small file may unpack to many times more."""

_MOST_OVERLAP = 0.5
_FEWEST_HELD_OUT = 8


def inspect_texts(facts: CorpusFacts, spec: CorpusSpec, folder: TeacherFolder, *, rows: bool) -> TextFacts:
    """See whether a teacher's vocabulary can spell the texts, and whether those held out are other ones.

    Args:
        facts: The files.
        spec: Their columns, and whether the texts are meant as they are.
        folder: The teacher's.
        rows: Whether each row is an item; else texts are documents.

    Raises:
        CorpusError: More than half of the tokens are unknown or pieces of words, or more than half of the held-out
            texts stand in the training text, and `as_is` does not say that it is meant.
        TeacherError: The tokenizer cannot be used.
    """
    overlap, count = _overlap(facts, spec, rows=rows), DocumentCount()
    if not spec.as_is:
        overlap.require_small()
    train = list(_some_texts(facts, spec, facts.train, count, rows=rows))
    spelling = _spelling(train, facts, spec, folder, rows=rows)
    return TextFacts(
        num_read=count.num_records or len(train),
        num_without_text=count.num_without_text,
        tokens_per_word=spelling.tokens_per_word if spelling else None,
        unknown_share=spelling.unknown_share if spelling else None,
        piece_share=spelling.piece_share if spelling else None,
        overlap_share=overlap.share,
        levelled_overlap_share=overlap.levelled_share,
        num_compared=overlap.num_compared,
    )


def _spelling(
    train: Sequence[str], facts: CorpusFacts, spec: CorpusSpec, folder: TeacherFolder, *, rows: bool
) -> Spelling | None:
    """How the training text is spelled; None where only other libraries read the tokenizer. Either side has to be."""
    tokenizer = tokenizer_of(folder)
    if tokenizer is None:
        return None
    spelling = spelling_of(train, tokenizer)
    if not spec.as_is:
        require_spelling(spelling, "the training text")
        held_out = list(_some_texts(facts, spec, facts.validation, DocumentCount(), rows=rows))
        require_spelling(spelling_of(held_out, tokenizer), "the held-out text")
    return spelling


def _some_texts(
    facts: CorpusFacts, spec: CorpusSpec, paths: Sequence[str], count: DocumentCount, *, rows: bool
) -> Iterator[str]:
    """The first texts of files from among all of them."""
    chosen = paths[:: max(1, len(paths) // _MOST_FILES)]
    room = _MOST_CHARACTERS
    for path in chosen:
        texts = _row_texts(facts, spec, path) if rows else _document_texts(facts, spec, path, count)
        for text in islice(texts, max(1, _MOST_SPELLED // len(chosen))):
            yield text
            room -= len(text)
            if room < 0:
                return


def _document_texts(facts: CorpusFacts, spec: CorpusSpec, path: str, count: DocumentCount) -> Iterator[str]:
    return iter_documents([path], spec.columns.text, _root(facts), tables=facts.tables, quotes=spec.quotes, count=count)


def _row_texts(facts: CorpusFacts, spec: CorpusSpec, path: str) -> Iterator[str]:
    count = RowCount(allowed_share=spec.skip_bad_rows)
    return map(_both, iter_rows([path], spec.columns, _root(facts), quotes=spec.quotes, count=count))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Overlap:
    """Which share of the held-out texts stands in the training text, as they are and levelled."""

    share: float
    levelled_share: float
    num_held_out: int
    num_compared: int

    def require_small(self) -> None:
        """Refuse held-out text that is not other text."""
        if self.num_held_out < _FEWEST_HELD_OUT or max(self.share, self.levelled_share) <= _MOST_OVERLAP:
            return
        how = "as they are" if self.share > _MOST_OVERLAP else "but for case and blanks"
        raise CorpusError(
            f"corpus.validation: {max(self.share, self.levelled_share):.0%} of the held-out texts stand in the "
            f"training text, {how}: nothing would be measured of new text; hold out other text, or leave "
            "corpus.validation out; if it is meant, set corpus.as_is: true (--corpus-as-is)"
        )


def _overlap(facts: CorpusFacts, spec: CorpusSpec, *, rows: bool) -> _Overlap:
    as_they_are, levelled = _Recognised(str), _Recognised(_levelled)
    num_held_out = num_compared = 0
    for text in islice(_side(facts, spec, "validation", rows=rows), _MOST_HELD_OUT):
        as_they_are.remember(text)
        levelled.remember(text)
        num_held_out += 1
    for text in islice(_side(facts, spec, "train", rows=rows), _MOST_COMPARED):
        as_they_are.look(text)
        levelled.look(text)
        num_compared += 1
    return _Overlap(
        share=as_they_are.share,
        levelled_share=levelled.share,
        num_held_out=num_held_out,
        num_compared=num_compared,
    )


class _Recognised:
    """Tells which of some texts have been seen among others; of each text it keeps eight bytes.

    Args:
        made: What of a text is compared.
    """

    def __init__(self, made: Callable[[str], str]) -> None:
        self._made = made
        self._counts: dict[bytes, int] = {}
        self._seen: set[bytes] = set()

    def remember(self, text: str) -> None:
        """One that is looked for; equal ones count as often as they come."""
        key = _digest(self._made(text))
        self._counts[key] = self._counts.get(key, 0) + 1

    def look(self, text: str) -> None:
        """One of the others."""
        key = _digest(self._made(text))
        if key in self._counts:
            self._seen.add(key)

    @property
    def share(self) -> float:
        """Of the texts, those that have been seen; 0 of none."""
        total = sum(self._counts.values())
        return sum(self._counts[key] for key in self._seen) / total if total else 0.0


def _side(facts: CorpusFacts, spec: CorpusSpec, side: Side, *, rows: bool) -> Iterator[str]:
    if rows:
        count = RowCount(allowed_share=spec.skip_bad_rows)
        return map(_both, iter_side(facts, spec, side, count, _MOST_COMPARED_CHARACTERS))
    return side_documents(facts, spec, side, _MOST_COMPARED_CHARACTERS)


def _both(row: Row) -> str:
    return row.text if row.text_pair is None else f"{row.text}\n{row.text_pair}"


def _levelled(text: str) -> str:
    return " ".join(text.split()).casefold()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _root(facts: CorpusFacts) -> Path | None:
    return None if facts.root is None else Path(facts.root)
