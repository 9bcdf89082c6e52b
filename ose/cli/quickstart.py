"""`ose quickstart`: the whole walk on embedded defaults, told step by step."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ose.cli.context import Context, say, this_command
from ose.cli.jobs import run_to_end
from ose.cli.measure_cells import latency
from ose.core.architecture import Architecture
from ose.core.shown import shown
from ose.tasks.registry import task_rules

if TYPE_CHECKING:
    from rich.table import Table

    from ose.core.job import Distillation
    from ose.leaderboard.row import LeaderboardRow
    from ose.workspace import Workspace

SENTENCE = "If None, the <mask> value is used."
_MAX_THREADS = 8
"""Students this small gain nothing from more."""


def quickstart(context: typer.Context) -> None:
    """Search, distil and export a small student of the teacher that comes along: minutes, no network."""
    from ose.inputs.quickstart_job import teacher_folder, write_job_file, write_text

    options: Context = context.obj
    started = time.monotonic()
    with options.this_machine() as workspace:
        folder = workspace.home / "quickstart"
        say("1/4  Collecting text: documentation strings of the Python packages on this machine")
        teacher_folder()
        train, held_out = write_text(folder / "text")
        file = write_job_file(folder, train, held_out, min(_MAX_THREADS, os.cpu_count() or 1))
        job = workspace.submit(file)
        say(f"2/4  Searching: {job.spec.space.size} architectures, every {job.spec.search.epsilon}th is trained")
        run_to_end(workspace, job.id, says_next=False)
        say("\n3/4  Distilling the best one fully")
        try:
            distillation = workspace.distill(job.id)
        except KeyboardInterrupt:
            say(f"\ninterrupted; nothing that was finished is lost. Go on with: {this_command()} distill {job.id}")
            sys.exit(130)
        say("4/4  Exporting it")
        output = folder / f"student-{job.id}"
        workspace.export(job.id, output)
        _summarize(workspace, distillation, output, time.monotonic() - started)


def _summarize(workspace: Workspace, distillation: Distillation, output: Path, wall_time_s: float) -> None:
    from rich.text import Text

    from ose.cli.text_tables import console

    job = workspace.job(distillation.job_id)
    board = workspace.leaderboard(job.id)
    row = next(r for r in board.rows if r.candidate == distillation.candidate_number)
    out = console()
    out.print()
    out.print(_comparison(board.teacher, row, distillation))
    before, mask, after = SENTENCE.partition("<mask>")
    out.print(Text.assemble("\n", before, (mask, "bold"), after))
    for name, model in (("teacher", Path(job.teacher.path)), ("student", output)):
        guesses = ", ".join(f"{token} {share:.0%}" for token, share in workspace.fill_mask(model, SENTENCE))
        out.print(f"  {name}: {shown(guesses)}", highlight=False)
    lies_in = Text.assemble("\nThe student is in ", (str(output), "bold"), " and loads with plain transformers:")
    out.print(lies_in, soft_wrap=True)
    load_line = task_rules(job.teacher.task).loaded_from(output)
    out.print(Text.assemble("  ", load_line), highlight=False, soft_wrap=True)
    out.print(f"\nDone in {wall_time_s:.0f} s. What to type next:")
    for command, gain in (
        (f"{this_command()} leaderboard {job.id} --pareto", "the candidates that no other one beats"),
        (f"{this_command()} distill {job.id} --steps 3000", "a better student: ten times the training"),
        (f"{this_command()} space list", "search spaces for real teachers"),
        (
            f"{this_command()} job run {output.parent / 'job.yaml'}",
            "this search again: name your own teacher and text in it",
        ),
    ):
        out.print(Text.assemble("  ", (command, "bold"), f"\n      {gain}"), soft_wrap=True)


def _comparison(teacher: dict[str, Any], row: LeaderboardRow, distillation: Distillation) -> Table:
    from ose.cli.text_tables import plain_table

    result = distillation.result
    assert result is not None and row.latency_p50_ms is not None
    table = plain_table("", "teacher", "student", "", justify="right")
    shrink = teacher["num_parameters"] / row.num_parameters
    speed_up = teacher["latency_p50_ms"] / row.latency_p50_ms
    table.add_row("architecture", str(Architecture(**teacher["architecture"])), str(row.architecture), "")
    table.add_row("parameters", f"{teacher['num_parameters']:,}", f"{row.num_parameters:,}", f"{shrink:.1f}x smaller")
    teachers = latency(teacher["latency_p50_ms"], teacher["latency_flagged"])
    table.add_row("latency, ms", teachers, latency(row.latency_p50_ms, row.latency_flagged), f"{speed_up:.1f}x faster")
    table.add_row(
        "held-out loss, nats",
        f"{teacher['metrics']['masked_lm_loss_nats']['value']:.3f}",
        f"{result.metrics['masked_lm_loss_nats'].value:.3f}",
        "",
    )
    of_teacher, of_student = teacher["metrics"]["masked_accuracy"]["value"], result.metrics["masked_accuracy"].value
    table.add_row(
        "masked tokens right",
        f"{of_teacher:.1%}",
        f"{of_student:.1%}",
        f"{of_student / of_teacher:.0%} of the teacher's",
    )
    return table
