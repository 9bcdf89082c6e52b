"""Queued jobs run one after the other, whatever happens to the database meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fake_backend import FakeBackend
from fake_search import Clock, Search

from ose.coordinator.coordinator import Coordinator
from ose.core.job import JobStatus
from ose.core.progress import Silence
from ose.errors import StoreError
from ose.jobs.queue import serve_queue
from ose.store.base import Store
from ose.store.database import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


def queue(store: Store, *job_ids: str) -> Clock:
    clock = Clock()
    for job_id in job_ids:
        Search(store, job_id=job_id, clock=clock)
        clock.advance(1)
    return clock


def test_jobs_run_oldest_first_until_none_waits(store: Store) -> None:
    clock, told = queue(store, "b", "a"), []
    serve_queue(coordinator(store, FakeBackend(), clock), told.append, until_empty=True)
    assert told == ["job b succeeded", "job a succeeded"]


def test_a_job_that_fails_holds_up_nobody(store: Store) -> None:
    clock, told = queue(store, "a", "b"), []
    backends = iter([RuntimeError("no room"), FakeBackend()])

    def start(_: object) -> FakeBackend:
        backend = next(backends)
        if isinstance(backend, Exception):
            raise backend
        return backend

    serving = Coordinator(store, start, Path("/nowhere"), Silence(), clock)
    serve_queue(serving, told.append, until_empty=True)
    assert told == ["job a failed: no room", "job b succeeded"]


def test_a_database_that_comes_back_is_waited_for(store: Store) -> None:
    def lose_database() -> None:
        raise StoreError("the server went away")

    clock, told = queue(store, "a"), []
    backends = iter([FakeBackend(before_event=lose_database), FakeBackend()])
    serving = Coordinator(store, lambda _: next(backends), Path("/nowhere"), Silence(), clock)
    serve_queue(serving, told.append, until_empty=True, poll_s=0)
    assert told == ["the server went away; trying again", "job a succeeded"]


def test_a_stop_leaves_the_rest_to_others(store: Store) -> None:
    clock, told = queue(store, "a", "b"), []
    backend = FakeBackend(before_event=lambda: serving.stop())
    serving = coordinator(store, backend, clock)
    serve_queue(serving, told.append)
    assert told == ["job a handed back"]
    assert {job.status for job in store.jobs()} == {JobStatus.PENDING}


def coordinator(store: Store, backend: FakeBackend, clock: Clock) -> Coordinator:
    return Coordinator(store, lambda _: backend, Path("/nowhere"), Silence(), clock)


def test_other_work_waits_until_no_job_does(store: Store) -> None:
    clock, told, waiting = queue(store, "a"), [], ["student"]

    def work() -> bool:
        told.extend(waiting)
        return bool(waiting and waiting.pop())

    serve_queue(coordinator(store, FakeBackend(), clock), told.append, work, until_empty=True, poll_s=0)
    assert told == ["job a succeeded", "student"]
