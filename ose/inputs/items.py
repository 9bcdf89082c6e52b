"""Look at the items of a corpus whose rows are items, as many as can be read while somebody waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from ose.core.job import CorpusFacts, ItemFacts
from ose.core.spec import CorpusSpec
from ose.data.row_sides import draw_rows, iter_side, overlap_share
from ose.data.tables import Row, RowCount
from ose.data.text_position import Side
from ose.errors import CorpusError
from ose.inputs.token_counts import CountTokens, token_counter
from ose.tasks.rules import TaskRules
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG

_MOST_READ = 20_000
"""Rows of the files that are read for either side, and further ones until there is one of it: a second or two."""

_MOST_DRAWN = 2_000
"""Of these, rows whose tokens are counted and whose labels are read."""

_MOST_CHARACTERS = 20_000_000
"""Of the rows that are drawn, together."""


def inspect_items(
    facts: CorpusFacts, spec: CorpusSpec, folder: TeacherFolder, rules: TaskRules, num_held_out: int, seed: int
) -> ItemFacts:
    """Read rows of either side, count their tokens, and hold their labels against the teacher's.

    The held-out rows that are looked at are those that candidates will be judged on, up to 2,000 of them, where the
    files have no more rows than are read.

    Args:
        facts: The files.
        spec: Their columns, and the length at which items are cut.
        folder: The teacher's.
        rules: Of its task.
        num_held_out: Items that candidates are judged on.
        seed: Decides which these are.

    Raises:
        CorpusError: A row is bad, a label none of the teacher's, all labels are the same, or a side has no row.
        TeacherError: The teacher's labels or its tokenizer cannot be used.
    """
    train = _look(facts, spec, "train", _MOST_DRAWN, seed)
    held_out = _look(facts, spec, "validation", min(num_held_out, _MOST_DRAWN), seed)
    unseen = rules.check_rows(folder.read_object(CONFIG), train.rows, held_out.rows)
    count = token_counter(folder)
    lengths, held_out_lengths = ([] if count is None else _lengths(each, count) for each in (train, held_out))
    most = spec.sequence_length
    return ItemFacts(
        num_rows=train.count.num_rows + (held_out.count.num_rows if facts.validation else 0),
        num_bad=train.count.num_bad + (held_out.count.num_bad if facts.validation else 0),
        mean_tokens=fmean(min(each, most) for each in lengths) if lengths else None,
        median_tokens=_percentile(held_out_lengths, 0.5, most),
        p95_tokens=_percentile(held_out_lengths, 0.95, most),
        train_cut_share=_share_above(lengths, most),
        held_out_cut_share=_share_above(held_out_lengths, most),
        overlap_share=_overlap(facts, spec, held_out.rows),
        unseen_labels=unseen,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """Rows of one side that were drawn, and how many were read for them."""

    rows: Sequence[Row]
    count: RowCount


def _look(facts: CorpusFacts, spec: CorpusSpec, side: Side, num_rows: int, seed: int) -> _Look:
    count = RowCount(allowed_share=spec.skip_bad_rows)
    rows = draw_rows(_first(facts, spec, side, count), num_rows, seed, _MOST_CHARACTERS)
    if not rows:
        raise CorpusError(f"the {side} part of the corpus has no row that can be used")
    return _Look(rows, count)


def _first(facts: CorpusFacts, spec: CorpusSpec, side: Side, count: RowCount) -> Iterator[Row]:
    for row in iter_side(facts, spec, side, count):
        yield row
        if count.num_rows >= _MOST_READ:
            return


def _lengths(look: _Look, count: CountTokens) -> list[int]:
    return [count(row.text, row.text_pair) for row in look.rows]


def _percentile(lengths: Sequence[int], share: float, most: int) -> int | None:
    """The least length that so many items do not exceed, once all are cut."""
    if not lengths:
        return None
    return min(sorted(lengths)[max(0, -int(-share * len(lengths) // 1) - 1)], most)


def _share_above(lengths: Sequence[int], most: int) -> float | None:
    return sum(each > most for each in lengths) / len(lengths) if lengths else None


def _overlap(facts: CorpusFacts, spec: CorpusSpec, held_out: Sequence[Row]) -> float | None:
    """Only of files of its own, or of queries, may a text stand on both sides."""
    if not facts.validation and held_out[0].query_id is None:
        return None
    return overlap_share(_first(facts, spec, "train", RowCount(allowed_share=spec.skip_bad_rows)), held_out)
