"""`ose job`: submit, run, resume, extend, watch, stop and delete search jobs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ose.cli.context import MOST_ROWS, Context, Format, print_json, say, tell, this_command
from ose.cli.corpus_options import CorpusAsIs
from ose.cli.cost_text import expected_line, taken_line
from ose.core.bounds import STEPS
from ose.core.job import Job, JobStatus
from ose.core.shown import shown
from ose.errors import InvalidInputError, is_mistake
from ose.families.coverage import notes_of

if TYPE_CHECKING:
    from ose.verbs import Verbs

app = typer.Typer(help="Submit, run, resume, extend, watch, stop and delete search jobs.", no_args_is_help=True)

JobFile = Annotated[Path, typer.Argument(help="Job file (YAML).", show_default=False)]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its beginning.", show_default=False)]
AsIs = Annotated[
    bool,
    typer.Option("--teacher-as-is", help="Go on also if the teacher's answers look as if it had never been trained."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="What to print.")]


@app.command(epilog="Example: ose job submit job.yaml")
def submit(
    context: typer.Context, file: JobFile, teacher_as_is: AsIs = False, corpus_as_is: CorpusAsIs = False
) -> None:
    """Check a job and queue it. Prints its id."""
    with _workspace(context) as workspace:
        job = workspace.submit(file, teacher_as_is=teacher_as_is, corpus_as_is=corpus_as_is)
        tell(job.id)
        say_notes(job)
        say(expected_line(workspace.cost(job.id)))
    say(f"queued; run it here with: {this_command()} job resume {job.id}")


@app.command(epilog="Example: ose job run job.yaml")
def run(context: typer.Context, file: JobFile, teacher_as_is: AsIs = False, corpus_as_is: CorpusAsIs = False) -> None:
    """Submit a job and run it here, in the foreground, to its leaderboard."""
    with _workspace(context) as workspace:
        job = workspace.submit(file, teacher_as_is=teacher_as_is, corpus_as_is=corpus_as_is)
        say(f"job {job.id}")
        say_notes(job)
        say(expected_line(workspace.cost(job.id)))
        run_to_end(workspace, job.id)


@app.command(epilog="Example: ose job resume 3f9c")
def resume(context: typer.Context, job_id: JobId) -> None:
    """Go on with a job here: a queued, interrupted, failed or cancelled one. Finished work is kept."""
    with _workspace(context) as workspace:
        run_to_end(workspace, job_id)


@app.command(epilog="Example: ose job remeasure 3f9c")
def remeasure(context: typer.Context, job_id: JobId) -> None:
    """Measure those latencies of a job again that were too noisy to believe; those of a former version all."""
    options: Context = context.obj
    if options.server is not None:
        raise InvalidInputError("ose job remeasure works on the machine that measured; leave out --server")
    with options.this_machine() as workspace:
        job = workspace.remeasure(job_id)
        from ose.cli.leaderboard_table import print_leaderboard
        from ose.leaderboard.read import LeaderboardQuery

        print_leaderboard(workspace.leaderboard(job.id, LeaderboardQuery(limit=20)))


@app.command(epilog="Example: ose job extend 3f9c --steps 300")
def extend(
    context: typer.Context,
    job_id: JobId,
    steps: Annotated[int, typer.Option(min=1, max=STEPS.most, help="Training steps in all, more than the job had.")],
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_ROWS,
            help="How many of its best candidates.",
            show_default="the first group of the leaderboard",
        ),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Train the leaders of a job further, as a new job that runs here, and rank them again."""
    with _workspace(context) as workspace:
        job = workspace.extend(job_id, steps, top)
        assert job.spec.extends is not None
        say(f"job {job.id} goes on with {len(job.spec.extends.candidates)} candidates of job {job.spec.extends.job}")
        say(expected_line(workspace.cost(job.id)))
        run_to_end(workspace, job.id, output=output)


@app.command("list", epilog="Example: ose job list --limit 5 --format json")
def list_jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="At most so many, newest first.")] = 20,
    output: FormatOption = Format.table,
) -> None:
    """List the newest jobs."""
    with _workspace(context) as workspace:
        _print(workspace.descriptions(limit), output)


@app.command(epilog="Example: ose job show 3f9c --format json")
def show(context: typer.Context, job_id: JobId, output: FormatOption = Format.table) -> None:
    """Show one job: status, counts of candidates, times, and with JSON the frozen spec."""
    with _workspace(context) as workspace:
        content, cost = workspace.describe(job_id), workspace.cost(job_id)
    if output is Format.json:
        from ose.jobs.estimate import cost_json

        print_json({**content, "cost": cost_json(cost)})
        return
    _print([content], output)
    for line in (expected_line(cost), taken_line(cost)):
        if line is not None:
            tell(line)


@app.command(epilog="Example: ose job cancel 3f9c")
def cancel(context: typer.Context, job_id: JobId) -> None:
    """Stop a queued or running job. It can be resumed."""
    with _workspace(context) as workspace:
        job = workspace.cancel(job_id)
    say(f"job {job.id} is cancelled; go on with: {this_command()} job resume {job.id}")


@app.command(epilog="Example: ose job delete 3f9c")
def delete(context: typer.Context, job_id: JobId) -> None:
    """Delete a job for good: its candidates, its students and exports, and the files that no other job uses."""
    with _workspace(context) as workspace:
        job = workspace.delete(job_id)
    say(f"job {job.id} is deleted")


def say_notes(job: Job) -> None:
    """What people should know of a job before it runs, a line each."""
    for note in notes_of(job):
        say(f"note: {shown(note)}")


def run_to_end(workspace: Verbs, job_id: str, *, says_next: bool = True, output: Format = Format.table) -> Job:
    """Run a job and print its leaderboard; leave with status 1 if it failed, 130 if interrupted."""
    from ose.cli.leaderboard_table import print_leaderboard
    from ose.leaderboard.read import LeaderboardQuery

    try:
        job = workspace.run(job_id)
    except KeyboardInterrupt:
        say(f"\ninterrupted; nothing that was finished is lost. Go on with: {this_command()} job resume {job_id}")
        sys.exit(130)
    if job.status is not JobStatus.SUCCEEDED:
        reason = f": {shown(job.failure.message)}" if job.failure else ""
        say(f"error: job {job.id} {job.status.lower()}{reason}")
        if job.failure is None or not is_mistake(job.failure.code):
            say(f"try again with: {this_command()} job resume {job.id}")
        sys.exit(1)
    if output is Format.json:
        print_json(workspace.leaderboard(job.id).to_json())
        return job
    print_leaderboard(workspace.leaderboard(job.id, LeaderboardQuery(limit=20)))
    say(taken_line(workspace.cost(job.id)) or "")
    if says_next:
        say(f"\nnext: {this_command()} distill {job.id}   (the best student, fully)")
        say(f"      {this_command()} leaderboard {job.id} --pareto   (what no other candidate beats)")
    return job


def _print(jobs: list[dict[str, Any]], output: Format) -> None:
    from ose.cli.text_tables import print_jobs

    print_json(jobs) if output is Format.json else print_jobs(jobs)


def _workspace(context: typer.Context) -> Verbs:
    options: Context = context.obj
    return options.workspace()
