"""`ose distill` and `ose export`: from a chosen candidate to a directory that plain transformers loads."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ose.cli.context import Context, Format, print_json, say, tell, this_command
from ose.core.bounds import BATCH, NUMBER, STEPS
from ose.core.former_names import former_result
from ose.core.measurement import metric_text
from ose.core.plain import plain
from ose.core.presets import PRESETS
from ose.core.shown import NAME, shown
from ose.tasks.registry import task_rules

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its beginning.", show_default=False)]
Candidate = Annotated[
    int | None, typer.Option(min=1, max=NUMBER.most, help="Its number.", show_default="the job's best")
]
FormatOption = Annotated[Format, typer.Option("--format", help="What to print.")]


def distill(
    context: typer.Context,
    job_id: JobId,
    candidate: Candidate = None,
    steps: Annotated[int | None, typer.Option(min=1, max=STEPS.most, show_default="the job's")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, max=BATCH.most, show_default="the job's")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, max=100, show_default="the job's")] = None,
    preset: Annotated[
        str | None, typer.Option(help=f"A recipe: {', '.join(PRESETS)}.", show_default="the job's")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=100_000, help="Processes that train together; the result is the same.")
    ] = 1,
    output: FormatOption = Format.table,
) -> None:
    """Distil a job's best student, or another one, fully. The same command again resumes or repeats nothing."""
    options: Context = context.obj
    given = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "preset": preset}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with options.workspace() as workspace:
        try:
            done = workspace.distill(job_id, candidate=candidate, changes=changes, workers=workers)
        except KeyboardInterrupt:
            say("\ninterrupted; the last checkpoint is kept. Go on with the same command")
            sys.exit(130)
    assert done.result is not None
    result = done.result
    if output is Format.json:
        print_json({**asdict(done), "result": {**asdict(result), **former_result(result.metrics)}})
        return
    metrics = (f"{shown(name, NAME)} {metric_text(name, each.value)}" for name, each in result.metrics.items())
    tell(
        f"candidate {done.candidate_number} distilled, {result.num_steps} steps in {result.wall_time_s:.0f} s: "
        f"{', '.join([f'{result.loss_nats:.3f} ± {result.loss_stderr_nats:.3f} nats to the teacher', *metrics])}"
    )
    say(f"next: {this_command()} export {done.job_id} --candidate {done.candidate_number} --output student")


def export(
    context: typer.Context,
    job_id: JobId,
    output: Annotated[Path, typer.Option(help="A directory that does not exist yet.")] = Path("student"),
    candidate: Annotated[
        int | None, typer.Option(min=1, max=NUMBER.most, help="Its number.", show_default="last distilled")
    ] = None,
    output_format: FormatOption = Format.table,
) -> None:
    """Export a distilled student: weights, tokenizer, model card, and a manifest of every number's origin."""
    options: Context = context.obj
    with options.workspace() as workspace:
        summary = workspace.export(job_id, output, candidate=candidate)
        rules = task_rules(workspace.job(job_id).teacher.task)
    if output_format is Format.json:
        print_json(plain(summary))
        return
    tell(f"{summary.folder}: {summary.architecture}, {summary.size_bytes / 1e6:.1f} MB")
    say(f"load it with: {rules.loaded_from(summary.folder)}")
