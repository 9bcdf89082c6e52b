"""One look for all who follow."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from ose.api.broadcast import Broadcaster, Follower, JobState, Sight
from ose.core.job import JobStatus
from ose.errors import StoreError


def state(job_id: str, status: JobStatus) -> JobState:
    return JobState(id=job_id, status=status, candidates={})


class Database:
    """Counts the looks at it."""

    def __init__(self) -> None:
        self.states = {"a": state("a", JobStatus.PENDING), "b": state("b", JobStatus.PENDING)}
        self.callers = {"me", "you"}
        self.asked: list[tuple[set[str], set[str]]] = []
        self.is_away = False

    def look(self, jobs: Collection[str], callers: Collection[str]) -> Sight:
        self.asked.append((set(jobs), set(callers)))
        if self.is_away:
            raise StoreError("away")
        return Sight(states={job: self.states[job] for job in jobs if job in self.states}, callers=self.callers)


async def told(follower: Follower) -> bool:
    return await follower.is_told(5)


def test_many_followers_cost_one_look() -> None:
    async def scenario() -> None:
        database = Database()
        broadcaster = Broadcaster(database.look, poll_s=0.01)
        with (
            broadcaster.followed("me", database.states["a"]) as one,
            broadcaster.followed("you", database.states["a"]),
            broadcaster.followed("you", database.states["b"]) as other,
        ):
            database.states["b"] = state("b", JobStatus.RUNNING)
            assert await told(other) and other.state.status is JobStatus.RUNNING
            assert not await one.is_told(0.05)
            assert database.asked[0] == ({"a", "b"}, {"me", "you"})
        await asyncio.sleep(0.05)
        looks = len(database.asked)
        await asyncio.sleep(0.05)
        assert len(database.asked) == looks  # nobody follows, nobody looks

    asyncio.run(scenario())


def test_a_stream_ends_with_its_token_or_its_job() -> None:
    async def scenario() -> None:
        database = Database()
        broadcaster = Broadcaster(database.look, poll_s=0.01)
        with (
            broadcaster.followed("me", database.states["a"]) as mine,
            broadcaster.followed("you", database.states["b"]) as yours,
        ):
            database.callers = {"you"}
            assert await told(mine) and not mine.may_stay and yours.may_stay
            del database.states["b"]
            assert await told(yours) and not yours.may_stay

    asyncio.run(scenario())


def test_a_database_that_comes_back_is_looked_at_again() -> None:
    async def scenario() -> None:
        database = Database()
        broadcaster = Broadcaster(database.look, poll_s=0.01)
        database.is_away = True
        with broadcaster.followed("me", database.states["a"]) as follower:
            await asyncio.sleep(0.05)
            database.is_away, database.states["a"] = False, state("a", JobStatus.RUNNING)
            assert await told(follower) and follower.state.status is JobStatus.RUNNING

    asyncio.run(scenario())
