import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import builders
import pytest
from fake_search import Clock

from ose.coordinator.lease import Lease
from ose.errors import StoreError

LEASE_S = 0.06


class RenewalTable:
    """A store whose renewals go as listed, the last one for ever."""

    def __init__(self, *renewals: bool | BaseException) -> None:
        self._renewals = list(renewals)
        self.ends: list[datetime] = []

    def renew_lease(self, job_id: str, owner: str, lease_expires_at: datetime) -> bool:
        self.ends.append(lease_expires_at)
        renewal = self._renewals.pop(0) if len(self._renewals) > 1 else self._renewals[0]
        if isinstance(renewal, BaseException):
            raise renewal
        return renewal


def lease_on(store: RenewalTable, clock: Clock | None = None) -> Lease:
    return Lease(partial(store.renew_lease, "job-1", "owner"), "job-1", clock or Clock(), LEASE_S)


def eventually(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def test_a_lease_is_renewed_until_the_block_ends() -> None:
    store = RenewalTable(True)
    with lease_on(store) as lease:
        assert eventually(lambda: len(store.ends) >= 3)
        assert not lease.is_lost()
    renewals = len(store.ends)
    time.sleep(2 * LEASE_S)
    assert len(store.ends) == renewals
    assert store.ends[0] == builders.NOW + timedelta(seconds=LEASE_S)


def test_a_refused_renewal_means_that_the_job_is_lost() -> None:
    with lease_on(RenewalTable(True, False)) as lease:
        assert eventually(lease.is_lost)


def test_a_database_in_trouble_costs_no_job_while_the_lease_lasts() -> None:
    store = RenewalTable(True, StoreError("locked"), StoreError("locked"), True)
    with lease_on(store) as lease:
        assert eventually(lambda: len(store.ends) >= 6)
        assert not lease.is_lost()


def test_a_database_in_trouble_beyond_the_lease_means_that_the_job_is_lost() -> None:
    store = RenewalTable(StoreError("gone"))
    with lease_on(store) as lease:
        assert eventually(lambda: len(store.ends) >= 2)
        assert not lease.is_lost()
        assert eventually(lease.is_lost)


def test_a_clock_that_jumps_costs_no_job() -> None:
    clock, store = Clock(), RenewalTable(True, StoreError("locked"), StoreError("locked"), True)
    with lease_on(store, clock) as lease:
        assert eventually(lambda: len(store.ends) >= 2)
        clock.advance(3600)
        assert eventually(lambda: len(store.ends) >= 6)
        assert not lease.is_lost()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it is told, as it should be
def test_whatever_ends_the_renewals_loses_the_job() -> None:
    with lease_on(RenewalTable(RuntimeError("a mistake of ours"))) as lease:
        assert eventually(lease.is_lost)
