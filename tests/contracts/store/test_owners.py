"""Tokens take turns in the queues, and no more of each waits than may.

Tests ose/store/turns.py too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import builders
import pytest
from builders import NOW
from services import add_finished_job
from stored import LATER, SOON

from ose.core.access import JobQuota, Owner, Scope, Token
from ose.core.job import JobStatus
from ose.core.recipe import DistillationSpec
from ose.errors import QuotaError
from ose.store.base import Store
from ose.store.service_base import Submission

SPEC = DistillationSpec()
FEW = JobQuota(max_queued=2, max_kept=4)


@pytest.fixture(autouse=True)
def _tokens(store: Store) -> None:
    for name in ("ann", "bob"):
        store.add_token(Token(id=name, name=name.title(), scope=Scope.SUBMIT, created_at=NOW), "d" * 64)


def _queue(store: Store, owner: str | None, *job_ids: str) -> None:
    for job_id in job_ids:
        moment = NOW + timedelta(seconds=len(store.jobs(1000)))
        store.add_job(builders.new_job(job_id, owner=owner, created_at=moment))


def _served(store: Store, count: int) -> list[str]:
    claims = (store.claim_next_job(f"coordinator-{number}", NOW, LATER) for number in range(count))
    return [job.id for job in claims if job is not None]


def test_a_job_says_whose_it_is(store: Store) -> None:
    _queue(store, "ann", "a")
    _queue(store, None, "here")
    assert store.job("a").owner == Owner(id="ann", name="Ann") and store.job("here").owner is None
    store.revoke_token("ann", NOW)
    assert [job.owner for job in store.jobs()] == [None, Owner(id="ann", name="Ann")]


def test_owners_take_turns_and_this_machine_is_one_of_them(store: Store) -> None:
    _queue(store, "ann", *(f"a{number}" for number in range(1, 6)))
    assert _served(store, 2) == ["a1", "a2"]
    _queue(store, "bob", "b1", "b2")
    _queue(store, None, "here")
    assert _served(store, 9) == ["b1", "here", "a3", "b2", "a4", "a5"]


def test_a_turn_outlives_the_job_that_it_was_taken_with(store: Store) -> None:
    """Else a token would come first again by deleting what it was served last."""
    _queue(store, "ann", "a1", "a2")
    _queue(store, "bob", "b1", "b2")
    assert _served(store, 2) == ["a1", "b1"]
    for job_id in ("b1", "a1"):
        store.cancel_job(job_id, NOW)
        store.delete_job(job_id, [], NOW)
    assert _served(store, 2) == ["a2", "b2"]


def test_one_that_is_claimed_by_name_takes_no_turn(store: Store) -> None:
    _queue(store, "ann", "a1", "a2")
    _queue(store, "bob", "b1")
    assert store.claim_job("a1", "foreground", NOW, LATER)
    assert _served(store, 3) == ["a2", "b1"]


def test_coordinators_that_ask_at_once_do_not_serve_one_owner_only(store: Store) -> None:
    _queue(store, "ann", *(f"a{number:02}" for number in range(20)))
    _queue(store, "bob", *(f"b{number:02}" for number in range(4)))
    start = Barrier(8)

    def claim(number: int) -> str:
        start.wait()
        job = store.claim_next_job(f"coordinator-{number}", NOW, LATER)
        assert job is not None and job.owner is not None
        return job.owner.id

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(claim, range(8))) == {"ann": 4, "bob": 4}


def test_distillations_take_turns(store: Store) -> None:
    add_finished_job(store)
    asked = [("ann", 1), ("ann", 2), ("ann", 3), ("bob", 4), (None, 5)]
    for owner, number in asked:
        store.request_distillation("job-1", number, SPEC, f"/{number}", 1, NOW, owner)
    served = [store.claim_distillation(str(number), NOW, SOON) for number in range(5)]
    assert [claim[0].candidate_number for claim in served if claim] == [1, 4, 5, 2, 3]


def _submit(store: Store, job_id: str, owner: str | None = "ann") -> None:
    store.add_job(builders.new_job(job_id, owner=owner), FEW)


def _submit_under_key(store: Store, job_id: str) -> None:
    submission = Submission(caller="ann", key=job_id, request_hash="1" * 64)
    store.add_job_once(builders.new_job(job_id, owner="ann"), submission, FEW)


@pytest.mark.parametrize("submit", [_submit, _submit_under_key])
def test_only_so_many_jobs_of_a_token_wait(store: Store, submit: Callable[[Store, str], None]) -> None:
    submit(store, "a1")
    submit(store, "a2")
    with pytest.raises(QuotaError, match=r"2 jobs of token ann wait.*OSE_MAX_QUEUED_JOBS"):
        submit(store, "a3")
    _submit(store, "b1", "bob")
    store.claim_job("a1", "owner", NOW, SOON)  # what runs waits no more
    submit(store, "a3")
    assert {job.id for job in store.jobs()} == {"a1", "a2", "a3", "b1"}


def test_what_this_machine_asks_for_has_no_quota(store: Store) -> None:
    for number in range(6):
        _submit(store, f"here-{number}", None)
    assert len(store.jobs()) == 6


def test_only_so_many_jobs_of_a_token_are_kept(store: Store) -> None:
    for number in range(4):
        _submit(store, f"a{number}")
        store.cancel_job(f"a{number}", NOW)
    with pytest.raises(QuotaError, match=r"has 4 jobs.*OSE_MAX_KEPT_JOBS.*delete"):
        _submit(store, "a4")
    store.delete_job("a0", [], NOW)
    _submit(store, "a4")


def test_a_key_finds_its_job_also_where_no_more_may_wait(store: Store) -> None:
    for job_id in ("a1", "a2"):
        _submit_under_key(store, job_id)
    assert store.add_job_once(builders.new_job("x"), Submission(caller="ann", key="a1", request_hash="1" * 64), FEW)


def test_a_job_that_is_resumed_is_one_that_waits(store: Store) -> None:
    for job_id in ("a1", "a2"):
        _submit(store, job_id)
    store.cancel_job("a1", NOW)
    _submit(store, "a3")
    with pytest.raises(QuotaError):
        store.requeue_job("a1", FEW.max_queued)
    assert store.job("a1").status is JobStatus.CANCELLED
    assert not store.requeue_job("a2", FEW.max_queued)  # it waits already, and is left as it is
    store.cancel_job("a3", NOW)
    assert store.requeue_job("a1", FEW.max_queued)


def test_threads_that_submit_at_once_do_not_pass_the_quota(store: Store) -> None:
    start = Barrier(12)

    def submit(number: int) -> bool:
        start.wait()
        try:
            (_submit if number % 2 else _submit_under_key)(store, f"a{number}")
        except QuotaError:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(submit, range(12))) == 2
    assert len(store.jobs()) == 2


def test_only_so_many_distillations_of_a_token_wait(store: Store) -> None:
    add_finished_job(store)

    def ask(number: int, owner: str = "ann") -> int:
        return store.request_distillation("job-1", number, SPEC, f"/{number}", 1, NOW, owner, 2).id

    first, _ = ask(1), ask(2)
    with pytest.raises(QuotaError, match=r"2 distillations of token ann wait.*OSE_MAX_QUEUED_DISTILLATIONS"):
        ask(3)
    assert ask(1) == first  # asked again, it is no more
    other = ask(3, "bob")
    claim = store.claim_distillation("owner", NOW, SOON)
    assert claim is not None and claim[0].id == first
    store.finish_distillation(first, NOW, failure=builders.failure())
    ask(4)
    with pytest.raises(QuotaError):
        ask(1)  # one that failed would wait again
    assert ask(3) == other and ask(1, "bob") == first


def test_submissions_under_one_key_are_one_job_within_the_quota(store: Store) -> None:
    job = builders.new_job("a1", owner="ann")
    submission = Submission(caller="ann", key="k", request_hash="1" * 64)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: store.add_job_once(replace(job, id=f"a{n}"), submission, FEW).id, range(8)))
    assert len(set(made)) == 1 and len(store.jobs()) == 1
