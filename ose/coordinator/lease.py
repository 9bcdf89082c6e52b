"""Hold a job: a lease that a thread renews, so that a coordinator that fell silent can be replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Self

from ose.errors import StoreError

LEASE_S = 30.0
"""A coordinator silent for this long is taken for dead."""

_RENEWALS = 30
"""Renewals within one lease, one a second: so soon a cancelled job stops, and a short trouble costs no job."""


class Lease:
    """Renews the lease of a job, or of a distillation, while the `with` block runs.

    Args:
        renew: Has what is leased until `now() + lease_s` leased until the time given; False if another has it by now.
        name: Of what is leased, for those who look at threads.
        now: The clock that leases are written by.
        lease_s: How long a lease lasts.
    """

    def __init__(
        self, renew: Callable[[datetime], bool], name: str, now: Callable[[], datetime], lease_s: float = LEASE_S
    ) -> None:
        self._renewed = renew
        self._now = now
        self._length = timedelta(seconds=lease_s)
        self._ends_s = time.monotonic() + lease_s
        self._stop, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{name}", daemon=True)

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
            is_held = self._renewed(self._now() + self._length)
        except StoreError:  # the database may come back before anybody else may claim the job
            return asked_s < self._ends_s
        self._ends_s = asked_s + self._length.total_seconds()
        return is_held
