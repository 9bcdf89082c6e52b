"""A leaderboard's reference rows for people, in a part of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from ose.cli.measure_cells import figure, latency, metric_cells, millions
from ose.cli.text_tables import aligned_lines
from ose.core.shown import headline
from ose.leaderboard.references import ReferenceRow

HOW_TO_READ = (
    "kept: share of the teacher's first metric; lead: of its lead over the bag of words. All latencies begin at token "
    "ids, the bag of words' at words; it and the static embedding are timed on a worker's CPU."
)

_LEFT_OUT_WHEN_NARROW = {"learns", "loss", "±", "agreement"}
_WORDS = {"not ranked", "learns", "architecture", ""}


def print_references(
    out: Console, rows: Sequence[ReferenceRow], metrics: Mapping[str, bool], *, is_narrow: bool
) -> None:
    """Print them, each with what a candidate's row has."""
    lines = [_cells(row, metrics) for row in rows]
    left_out: Collection[str] = _LEFT_OUT_WHEN_NARROW if is_narrow else ()
    titles = [each for each in lines[0] if each not in left_out]
    table = aligned_lines([titles, *([cells[each] for each in titles] for cells in lines)], _WORDS)
    out.print(Text("\n").join(map(Text, table, ["bold", *("" for _ in rows)])), soft_wrap=True)


def _cells(row: ReferenceRow, metrics: Mapping[str, bool]) -> dict[str, str]:
    return {
        "not ranked": row.name.replace("_", " "),
        "learns": row.learns,
        "architecture": "" if row.architecture is None else str(row.architecture),
        "params": millions(row.num_parameters),
        "p50 ms": latency(row.latency_p50_ms, row.latency_flagged),
        "loss": figure(row.loss_nats, 3),
        "±": figure(row.loss_stderr_nats, 3),
        **metric_cells(row.metrics, metrics),
        "": "" if row.error is None else f"failed: {headline(row.error.message)}",
    }
