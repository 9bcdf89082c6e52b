"""Where requests that take long are handed in: checked by another process, and written here once they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from ose.api.request_slots import RequestSlots
from ose.api.submission_checks import Checks
from ose.core.access import Caller
from ose.jobs.checker_tasks import Question, to_prepared
from ose.jobs.submit import job_json
from ose.jobs.submit_remote import PreparedJob, store_prepared
from ose.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was handed in.

    Attributes:
        job: Under its JSON names.
        is_new: Whether it is, or was submitted before under the same key.
    """

    job: Mapping[str, object]
    is_new: bool


class Desk:
    """Asks checkers on behalf of requests, and queues the jobs that they have found good.

    Args:
        workspace: What jobs are queued in.
        checks: Asks them.
        limits: Of what is written at once.
    """

    def __init__(self, workspace: Workspace, checks: Checks, limits: RequestSlots) -> None:
        self._workspace = workspace
        self._checks = checks
        self._limits = limits

    async def ask(
        self, request: Request, caller: Caller, task: str, arguments: Mapping[str, str | None], body: bytes = b""
    ) -> bytes:
        """The result of a task, as JSON. See `Checks.ask`."""
        place = {"database": self._workspace.settings.store_url, "home": str(self._workspace.home)}
        question = Question(task=task, arguments=arguments, body=body, **place)
        return await self._checks.ask(request, caller, question)

    async def submit(
        self, request: Request, caller: Caller, task: str, arguments: Mapping[str, str | None], body: bytes
    ) -> Submitted:
        """Have a job checked, and queue it."""
        checked = await self.ask(request, caller, task, {**arguments, "owner": caller.owner}, body)
        return await self._limits.change(caller, partial(self._stored, to_prepared(checked), caller))

    def _stored(self, prepared: PreparedJob, caller: Caller) -> Submitted:
        job, is_new = store_prepared(self._workspace.store, prepared, caller)
        return Submitted(job_json(self._workspace.store, job), is_new)


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


CurrentDesk = Annotated[Desk, Depends(_desk)]
