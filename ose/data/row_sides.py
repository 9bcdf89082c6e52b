"""Which rows of a labelled corpus are trained on, which are held out, and which a search draws of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path

from ose.core.job import CorpusFacts
from ose.core.spec import CorpusSpec
from ose.data.tables import Row, RowCount, iter_rows
from ose.data.text_position import Side, position_of
from ose.data.unchanged import while_unchanged

HELD_OUT_SHARE = 1 / 10
"""Share of the rows held out when a job names no validation text. Rows are shorter than documents, and fewer."""

_HASHES_AT_ONCE = 100_000


def iter_side(
    facts: CorpusFacts,
    spec: CorpusSpec,
    side: Side,
    count: RowCount | None = None,
    most_characters: float = math.inf,
) -> Iterator[Row]:
    """Yield all rows of one side of a corpus, in the order in which the files have them.

    Where no validation text is named, what is held out follows from the text of a row, or of both, so that equal ones
    are on one side; of rows with a query it follows from the query, so that those of one query are.

    Args:
        facts: The files.
        spec: Columns, and how much may be bad.
        side: Training or held-out rows.
        count: Counts the rows that were read to find them; without one they are counted all the same.
        most_characters: After how many the reading ends, those of the other side counted.

    Raises:
        CorpusError: As `iter_rows`.
    """
    count = count or RowCount(allowed_share=spec.skip_bad_rows)
    root = None if facts.root is None else Path(facts.root)
    paths = facts.validation if facts.validation and side == "validation" else facts.train
    for row in while_unchanged(facts, iter_rows(paths, spec.columns, root, quotes=spec.quotes, count=count)):
        if facts.validation or (is_held_out(row) == (side == "validation")):
            yield row
        most_characters -= _num_characters(row)
        if most_characters < 0:
            return


def is_held_out(row: Row) -> bool:
    """Whether a row is, where no validation text is named."""
    return position_of(_identity(row), "held-out") < HELD_OUT_SHARE


def draw_rows(rows: Iterable[Row], num_rows: int, seed: int, most_characters: int) -> list[Row]:
    """Draw rows by their hash, from all of them, however many there are.

    Args:
        rows: All.
        num_rows: Wanted; fewer come where there are fewer. Of rows with queries whole queries are drawn.
        seed: Decides which.
        most_characters: Of their texts together, which stay in memory.

    Returns:
        The rows in the order of their hashes: the first of them are a fair draw too.
    """
    kept: list[tuple[float, int, Row]] = []  # a heap, from which the last by its hash is taken; no two are equal
    room, cut = most_characters, 1.0
    for number, row in enumerate(rows):
        position = position_of(_identity(row), str(seed))
        heappush(kept, (-position, -number, row))
        room -= _num_characters(row)
        while kept and (len(kept) > num_rows or room < 0):
            last = heappop(kept)
            room, cut = room + _num_characters(last[2]), min(cut, -last[0])
    drawn = [(-position, -number, row) for position, number, row in kept]
    return [row for position, _, row in sorted(drawn) if row.query_id is None or position < cut]


def overlap_share(train: Iterable[Row], validation: Iterable[Row]) -> float:
    """The share of the validation rows whose text, or whose both texts, also stand in a training row.

    Takes some 25 bytes a validation row, of texts of any length, and none a training row.

    Args:
        train: The training rows.
        validation: The held-out ones; 0 of none.
    """
    import numpy as np  # which submitting a job does without

    hashes, counts = np.unique(np.fromiter(map(_hash, validation), np.uint64), return_counts=True)
    if not len(hashes):
        return 0.0
    is_seen, training = np.zeros(len(hashes), bool), map(_hash, train)
    while len(block := np.fromiter(islice(training, _HASHES_AT_ONCE), np.uint64)):
        places = np.searchsorted(hashes, block).clip(max=len(hashes) - 1)
        is_seen[places[hashes[places] == block]] = True
    return float(counts[is_seen].sum() / counts.sum())


def _identity(row: Row) -> str:
    return _both(row) if row.query_id is None else row.query_id


def _both(row: Row) -> str:
    """The texts as one; no text has a null."""
    return row.text if row.text_pair is None else f"{row.text}\0{row.text_pair}"


def _hash(row: Row) -> int:
    return int.from_bytes(hashlib.blake2b(_both(row).encode(), digest_size=8).digest(), "big")


def _num_characters(row: Row) -> int:
    return len(row.text) + len(row.text_pair or "")
