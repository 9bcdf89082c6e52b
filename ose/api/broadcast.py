"""One look at the database for everybody who follows a job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from anyio import to_thread

from ose.core.job import CandidateStatus, ErrorDetail, JobStatus
from ose.errors import OseError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """How a job stands.

    Attributes:
        id: The job's.
        status: After SUCCEEDED, FAILED and CANCELLED nothing follows.
        candidates: How many there are, by status.
        error: Why it failed.
    """

    id: str
    status: JobStatus
    candidates: Mapping[CandidateStatus, int]
    error: ErrorDetail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a look has seen.

    Attributes:
        states: How the jobs stand that were asked for, as far as they are there.
        callers: Those who may still follow, by their tokens' ids; None is one without.
    """

    states: Mapping[str, JobState]
    callers: Collection[str | None]


Look = Callable[[Collection[str], Collection[str | None]], Sight]
"""Looks at jobs, by their ids, and at callers."""


class Follower:
    """Somebody who follows a job.

    Attributes:
        state: How it stands, as far as was seen.
        may_stay: Whether there will be more: not of a job that has been deleted, nor for a token that was revoked.
    """

    def __init__(self, caller: str | None, state: JobState) -> None:
        self.caller = caller
        self.state = state
        self.may_stay = True
        self._told = asyncio.Event()

    async def is_told(self, within_s: float) -> bool:
        """Wait for something new; False if there was nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._told.wait()
                self._told.clear()
                return True
        return False

    def tell(self, sight: Sight) -> None:
        """Compare what was seen with what is known."""
        state = sight.states.get(self.state.id)
        if state is None or self.caller not in sight.callers:
            self.may_stay = False
        elif state == self.state:
            return
        else:
            self.state = state
        self._told.set()


class Broadcaster:
    """Looks again and again, as long as somebody follows.

    Args:
        look: Asks the database; runs in a thread.
        poll_s: Between two looks.
    """

    def __init__(self, look: Look, poll_s: float) -> None:
        self._look = look
        self._poll_s = poll_s
        self._followers: set[Follower] = set()
        self._watch: asyncio.Task[None] | None = None

    @contextmanager
    def followed(self, caller: str | None, state: JobState) -> Iterator[Follower]:
        """Be told what happens to a job, beginning with how it stands."""
        follower = Follower(caller, state)
        self._followers.add(follower)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._tell())
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    async def _tell(self) -> None:
        while self._followers:
            await asyncio.sleep(self._poll_s)
            followers = list(self._followers)
            jobs, callers = {each.state.id for each in followers}, {each.caller for each in followers}
            try:
                sight = await to_thread.run_sync(self._look, jobs, callers)
            except OseError as error:  # the database may come back, and streams with it
                _LOG.error("%s: %s", error.code, error)
                continue
            for follower in followers:
                follower.tell(sight)
