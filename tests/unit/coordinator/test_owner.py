"""Who a job's coordinator was decides whether its lease is waited for."""

import os
import socket
from datetime import timedelta

import psutil
import pytest
from fake_backend import FakeBackend
from fake_search import Search

from ose.coordinator.lease import LEASE_S
from ose.coordinator.owner import is_dead, new_owner
from ose.core.job import JobStatus
from ose.errors import ConflictError


def claim(search: Search, owner: str) -> None:
    now = search.clock()
    assert search.store.claim_job(search.job_id, owner, now, now + timedelta(seconds=LEASE_S))


def test_names_differ_and_their_process_lives() -> None:
    first, second = new_owner(), new_owner()
    assert first != second
    assert not is_dead(first)


@pytest.mark.parametrize("owner", ["", "somebody", "a:b:c:d", f"{socket.gethostname()}:1"])
def test_a_name_of_another_form_is_nobodys_of_this_machine(owner: str) -> None:
    assert not is_dead(owner)


def test_a_dead_coordinator_of_this_machine_need_not_be_waited_for(search: Search) -> None:
    pid = next(pid for pid in range(2**22 - 1, 1, -1) if not psutil.pid_exists(pid))
    claim(search, f"{socket.gethostname()}:{pid}:1700000000:00000000")
    assert search.run().status is JobStatus.SUCCEEDED


def test_a_process_that_got_a_dead_ones_number_is_another(search: Search) -> None:
    claim(search, f"{socket.gethostname()}:{os.getpid()}:1700000000:00000000")
    assert search.run().status is JobStatus.SUCCEEDED


def test_another_machine_is_judged_by_its_lease_alone(search: Search) -> None:
    claim(search, "elsewhere:1:1700000000:00000000")
    with pytest.raises(ConflictError, match="elsewhere"):
        search.run()
    search.clock.advance(LEASE_S + 1)
    assert search.run().status is JobStatus.SUCCEEDED


def test_what_a_dead_coordinator_of_this_machine_held_is_taken_over_at_once(search: Search) -> None:
    now = search.clock()
    for owner, is_free in (("elsewhere:1:0:x", False), (f"{socket.gethostname()}:1:0:x", True)):
        assert search.store.claim_job(search.job_id, owner, now, now + timedelta(hours=1))
        job = search.coordinator(FakeBackend()).run_next()
        assert (job is not None) == is_free
        search.store.release_job(search.job_id, owner)
