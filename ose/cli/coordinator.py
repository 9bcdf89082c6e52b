"""`ose coordinator`: run queued jobs, one after the other, for as long as it lives."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from ose.cli.context import Context, say


def coordinator(
    context: typer.Context,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when no job waits.")] = False,
) -> None:
    """Run queued jobs, oldest first. A job whose coordinator died is taken over and gone on with.

    Any number of coordinators share one database. SIGTERM hands the running job back and ends.
    """
    from ose.service.queue import serve_queue

    options: Context = context.obj
    with options.workspace() as workspace:
        serving = workspace.coordinator()
        before = signal.signal(signal.SIGTERM, lambda *_: serving.stop())
        try:
            serve_queue(serving, say, until_empty=until_empty)
        finally:
            signal.signal(signal.SIGTERM, before)
