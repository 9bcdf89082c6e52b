"""`ose coordinator`: run queued jobs, one after the other, for as long as it lives."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ose.cli.context import Context, say
from ose.errors import ConflictError

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
            if until_empty and not waiting:
                return
            time.sleep(_POLL_S)
