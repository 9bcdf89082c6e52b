"""`ose coordinator`: run queued jobs, one after the other, for as long as it lives."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ose.cli.context import Context, say
from ose.core.logs import log_to_stderr
from ose.core.shown import shown

if TYPE_CHECKING:
    from ose.workspace import Workspace


def coordinator(
    context: typer.Context,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when nothing waits.")] = False,
) -> None:
    """Run queued jobs: owners take turns, and of each the oldest job comes first.

    A job whose coordinator died is taken over and gone on with.
    While no job waits, distillations that were asked of a server are run and exported. Any number of coordinators
    share one database. SIGTERM hands back what is running and ends.
    """
    from ose.jobs.queue import serve_queue

    options: Context = context.obj
    log_to_stderr()
    with options.this_machine() as workspace:
        workspace.remove_leftovers()
        serving = workspace.coordinator()

        def serve_students() -> bool:
            with _on_sigterm(lambda: sys.exit(0)):
                return not serving.is_stopping and _serve_students(workspace)

        with _on_sigterm(serving.stop):
            serve_queue(serving, say, serve_students, until_empty=until_empty)


def _serve_students(workspace: Workspace) -> bool:
    """Run the distillation that waits longest and export what is distilled; whether there was any."""
    distillation = workspace.students.run_next()
    if distillation is not None:
        reason = f": {shown(distillation.failure.message)}" if distillation.failure else ""
        say(f"distillation {distillation.id} {distillation.status.lower()}{reason}")
    exports = workspace.students.export_finished()
    for export in exports:
        say(f"export {export.id} of job {export.job_id}")
    return distillation is not None or bool(exports)


@contextmanager
def _on_sigterm(react: Callable[[], None]) -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, lambda *_: react())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
