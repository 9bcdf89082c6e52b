"""`ose layers`: which of the teacher's layers a student of some depth should keep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ose.cli.context import Context, Format, print_json, say
from ose.core.bounds import DEPTH, STEPS
from ose.core.job import layers_text
from ose.core.layer_subsets import LayerQuestion
from ose.core.shown import shown

if TYPE_CHECKING:
    from ose.jobs.layer_report import LayerReport

_TOP = LayerQuestion(keep=1).top


def layers(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Job file (YAML): its teacher, text and training.", show_default=False)],
    keep: Annotated[int, typer.Option(min=1, max=DEPTH.most, help="Layers that a student keeps.", show_default=False)],
    steps: Annotated[
        int | None, typer.Option(min=1, max=STEPS.most, help="Of training for each.", show_default="the job's")
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=1_000, help="Train so many of the best, and what the rules keep.")
    ] = _TOP,
    output: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.table,
) -> None:
    """Rank the subsets of the teacher's layers: all without training, the best few after some steps."""
    options: Context = context.obj
    with options.this_machine() as workspace:
        try:
            report = workspace.layers(file, LayerQuestion(keep=keep, steps=steps, top=top))
        except KeyboardInterrupt:
            say("\ninterrupted; nothing that was finished is lost. Go on with the same command")
            sys.exit(130)
    if output is Format.json:
        print_json(report.to_json())
    else:
        _print(report)


def _print(report: LayerReport) -> None:
    from ose.cli.text_tables import console, plain_table, title

    titles = ("rank", "layers", "rules", "untrained", f"loss, {report.num_steps} steps", "±", "to the best", "±")
    table = plain_table(*titles, justify="right")
    for row in report.rows:
        before = "" if row.zero_shot_loss_nats is None else f"{row.zero_shot_loss_nats:.3f}"
        gap, gap_error = f"{row.difference_nats:+.3f}", f"{row.difference_stderr_nats:.3f}"
        table.add_row(
            str(row.rank), layers_text(row.layers), ", ".join(row.rules), before,
            f"{row.loss_nats:.3f}", f"{row.loss_stderr_nats:.3f}",
            *(("", "") if row.rank == 1 else (gap, gap_error)),
        )  # fmt: skip
    out = console()
    counted = (
        f" ({report.job['id']}): {report.keep} of {report.num_teacher_layers} "
        f"layers, {len({score.layers for score in report.scores})} subsets scored, {len(report.rows)} trained"
    )
    out.print(title(report.job["name"], counted))
    out.print(table)
    for sentence in report.conclusions():
        out.print(shown(sentence), highlight=False, soft_wrap=True)
