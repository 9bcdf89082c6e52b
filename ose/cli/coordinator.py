"""`ose coordinator`: run queued jobs, one after the other, for as long as it lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ose.cli.context import Context, say
from ose.errors import ConflictError

if TYPE_CHECKING:
    from ose.bootstrap import Workspace

_POLL_S = 2.0


def coordinator(
    context: typer.Context,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when no job waits.")] = False,
) -> None:
    """Run queued jobs, oldest first. A job whose coordinator died is taken over and gone on with."""
    options: Context = context.obj
    with options.workspace() as workspace:
        while True:
            waiting = workspace.waiting()
            for job in waiting:
                say(f"job {job.id} ({job.name})")
                try:
                    ended = workspace.run(job.id)
                except ConflictError as error:
                    say(str(error))  # another coordinator was faster
                else:
                    reason = f": {ended.failure.message}" if ended.failure else ""
                    say(f"job {ended.id} {ended.status.lower()}{reason}")
            is_idle = not waiting and not _serve_students(workspace)
            if until_empty and is_idle:
                return
            time.sleep(_POLL_S)


def _serve_students(workspace: Workspace) -> bool:
    """Run the distillation that waits longest and export what is distilled; whether there was any."""
    distillation = workspace.students.run_next()
    if distillation is not None:
        reason = f": {distillation.failure.message}" if distillation.failure else ""
        say(f"distillation {distillation.id} {distillation.status.lower()}{reason}")
    exports = workspace.students.export_finished()
    for export in exports:
        say(f"export {export.id} of job {export.job_id}")
    return distillation is not None or bool(exports)
