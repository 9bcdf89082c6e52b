"""Hold a job: a lease that a thread renews, so that a coordinator that fell silent can be replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Self

from ose.errors import StoreError
from ose.store.base import Store

LEASE_S = 30.0
"""A coordinator silent for this long is taken for dead."""

_RENEWALS = 30
"""Renewals within one lease, one a second: so soon a cancelled job stops, and a short trouble costs no job."""


class Lease:
    """Renews a job's lease while the `with` block runs.

    Args:
        store: Where the lease stands.
        job_id: A job that `owner` has claimed until `now() + lease_s`.
        owner: Names the coordinator.
        now: The clock that leases are written by.
        lease_s: How long a lease lasts.
    """

    def __init__(
        self, store: Store, job_id: str, owner: str, now: Callable[[], datetime], lease_s: float = LEASE_S
    ) -> None:
        self._store = store
        self._job_id = job_id
        self._owner = owner
        self._now = now
        self._length = timedelta(seconds=lease_s)
        self._ends_s = time.monotonic() + lease_s
        self._stop, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def is_lost(self) -> bool:
        """Whether the job was cancelled or taken over, or may have been, unseen."""
        return self._lost.is_set()

    def _keep(self) -> None:
        try:
            while not self._stop.wait(self._length.total_seconds() / _RENEWALS):
                if not self._renew():
                    return
        finally:  # whatever ended the renewals before their time, nothing holds the job from here on
            if not self._stop.is_set():
                self._lost.set()

    def _renew(self) -> bool:
        asked_s = time.monotonic()  # whatever happens to clocks, it tells how long the lease has been ours for sure
        try:
            is_held = self._store.renew_lease(self._job_id, self._owner, self._now() + self._length)
        except StoreError:  # the database may come back before anybody else may claim the job
            return asked_s < self._ends_s
        self._ends_s = asked_s + self._length.total_seconds()
        return is_held
