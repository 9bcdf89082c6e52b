"""Workers that exist on a virtual clock alone, so that a coordinator can be led through years of work in minutes.

The coordinator's loop cannot tell: it submits requests, waits for events, and its clock and backend agree on the time.
Waiting costs nothing, since the clock jumps to the next event. Tasks end, fail, take much longer than others and take
their workers with them, all by draws that depend on the seed and on the order of submission.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ose.core.job import FailureReport
from ose.core.measurement import DeviceFingerprint, LatencyMeasurement, LatencyProtocol
from ose.core.messages import (
    EvaluationRequest,
    Event,
    LatencyReply,
    LatencyRequest,
    Request,
    RequestFailed,
    RequestSucceeded,
    Result,
    SavedModelRequest,
    TimedModel,
)

_FINGERPRINT = DeviceFingerprint(
    machine="simulated",
    processor="simulated",
    num_cores=1,
    accelerator=None,
    operating_system="simulated",
    python="simulated",
    runtime="simulated",
)
_LATENCY_TASK_S = 1.0


class VirtualClock:
    """Stands still until the simulation moves it. Calling it tells the time, as coordinators ask for it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self.now_s = 0.0

    def __call__(self) -> datetime:
        """The time now."""
        return self._start + timedelta(seconds=self.now_s)

    def advance_to(self, now_s: float) -> None:
        """Move on; never back."""
        self.now_s = max(self.now_s, now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often things go wrong, as shares of all requests.

    Attributes:
        passing: Fails halfway for a reason that may be gone the next time.
        lasting: Fails halfway for one that will not.
        lost: Takes its worker with it, which is back after `restart_s`.
        straggling: Takes `slowdown` times as long.
    """

    passing: float = 0.0
    lasting: float = 0.0
    lost: float = 0.0
    straggling: float = 0.0
    slowdown: float = 10.0
    restart_s: float = 30.0


class SimulatedBackend:
    """A `Backend` of any number of workers that cost nothing.

    Args:
        num_workers: Tasks that run at once.
        clock: Shared with the coordinator.
        duration_s: How long a request takes if nothing happens to it, on the virtual clock.
        result: What comes out of a request.
        latency: What a measurement finds.
        faults: How often things go wrong.
        seed: Of the draws.

    Attributes:
        num_submitted: Tasks that were submitted.
    """

    name = "simulated"

    def __init__(
        self,
        num_workers: int,
        clock: VirtualClock,
        duration_s: Callable[[Request], float],
        result: Callable[[Request], Result],
        latency: Callable[[TimedModel], LatencyMeasurement],
        faults: Faults = Faults(),
        seed: int = 0,
    ) -> None:
        self.capacity = num_workers
        self.num_submitted = 0
        self._idleness = _Idleness(num_workers)
        self._clock, self._faults, self._draw = clock, faults, random.Random(seed)
        self._duration_s, self._result, self._latency = duration_s, result, latency
        self._queue: deque[Request] = deque()
        self._idle = deque(range(num_workers))
        self._ends: list[tuple[float, int, int, Event | None]] = []
        self._saved: dict[str, TimedModel] = {}

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self.num_submitted += 1
        if isinstance(request, SavedModelRequest):
            self._saved[request.folder] = request.model
        self._queue.append(request)
        self._give_out()

    def next_event(self, timeout_s: float) -> Event | None:
        """The next ended request; None if none ends before so much virtual time has passed."""
        deadline_s = self._clock.now_s + timeout_s
        while self._ends and self._ends[0][0] <= deadline_s:
            ended_s, _, worker, event = heapq.heappop(self._ends)
            self._clock.advance_to(ended_s)
            if event is None or not _is_lost(event):
                self._idleness.changes(self._clock.now_s, len(self._idle))
                self._idle.append(worker)
                self._give_out()
            if event is not None:
                return event
        self._clock.advance_to(deadline_s)
        return None

    @contextmanager
    def latency_probe(self, protocol: LatencyProtocol) -> Iterator[SimulatedProbe]:
        """A probe that knows its answers."""
        yield SimulatedProbe(self._clock, lambda folder: self._latency(self._saved[folder]))

    def settle(self) -> None:
        """Nothing starts here."""

    def close(self) -> None:
        """Drop what is queued or running."""
        self._queue.clear()
        self._ends.clear()

    @property
    def utilisation(self) -> float:
        """The share of the workers' time not spent waiting, from the first candidate's start to the last one's."""
        return 1.0 - self._idleness.share

    def _give_out(self) -> None:
        while self._queue and self._idle:
            self._idleness.changes(self._clock.now_s, len(self._idle))
            if isinstance(self._queue[0], EvaluationRequest):
                self._idleness.starts(self._clock.now_s)
            self._start(self._queue.popleft(), self._idle.popleft())

    def _start(self, request: Request, worker: int) -> None:
        taken_s, failure = (0.0, None)
        if not isinstance(request, SavedModelRequest):
            taken_s, failure = self._fate(self._duration_s(request))
        name = f"simulated-{worker}"
        event: Event
        if failure is None:
            event = RequestSucceeded(request_id=request.id, worker=name, result=self._result(request))
        else:
            event = RequestFailed(request_id=request.id, worker=name, failure=failure)
        ends_s = self._clock.now_s + taken_s
        self._push(ends_s, worker, event)
        if _is_lost(event):
            self._push(ends_s + self._faults.restart_s, worker, None)

    def _push(self, at_s: float, worker: int, event: Event | None) -> None:
        heapq.heappush(self._ends, (at_s, self._draw.getrandbits(62), worker, event))

    def _fate(self, duration_s: float) -> tuple[float, FailureReport | None]:
        """How long a request takes, and why it fails if it does."""
        faults = self._faults
        taken_s = duration_s * (faults.slowdown if self._draw.random() < faults.straggling else 1.0)
        drawn = self._draw.random()
        for share, code, is_retryable in (
            (faults.lost, "worker_lost", True),
            (faults.passing, "out_of_memory", True),
            (faults.lasting, "non_finite_loss", False),
        ):
            if drawn < share:
                return taken_s / 2, FailureReport(code=code, message="simulated", is_retryable=is_retryable)
            drawn -= share
        return taken_s, None


class _Idleness:
    """Adds up the time that workers wait, between the first candidate's start and the last one's."""

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers
        self._at_s = self._waited_s = 0.0
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)

    def changes(self, now_s: float, num_idle: int) -> None:
        """So many have been idle until now."""
        self._waited_s += num_idle * (now_s - self._at_s)
        self._at_s = now_s

    def starts(self, now_s: float) -> None:
        """A candidate starts."""
        self._last = now_s, self._waited_s
        self._first = self._first or self._last

    @property
    def share(self) -> float:
        """Of all workers' time."""
        (first_s, before_s), (last_s, waited_s) = self._first or self._last, self._last
        return (waited_s - before_s) / (self._num_workers * (last_s - first_s)) if last_s > first_s else 0.0


class SimulatedProbe:
    """Measures latencies by a formula, in no time but the clock's."""

    def __init__(self, clock: VirtualClock, latency: Callable[[str], LatencyMeasurement]) -> None:
        self._clock = clock
        self._latency = latency

    def start(self) -> None:
        """It needs no start."""

    def fingerprint(self) -> DeviceFingerprint:
        """A device that is none."""
        return _FINGERPRINT

    def measure(self, request: LatencyRequest, check: Callable[[], None] = lambda: None) -> LatencyReply:
        """By the formula."""
        self._clock.advance_to(self._clock.now_s + _LATENCY_TASK_S * (1 + len(request.models)))
        teacher = self._latency(request.reference.folder)
        reference, *models = (
            _beside(teacher, self._latency(each.folder)) for each in (request.reference, *request.models)
        )
        return LatencyReply(reference=(reference,), models=tuple((each,) for each in models))


def _beside(teacher: LatencyMeasurement, own: LatencyMeasurement) -> LatencyMeasurement:
    error = own.p50_stderr_ms
    return replace(
        own,
        fingerprint=_FINGERPRINT,
        ratio=own.p50_ms / teacher.p50_ms,
        ratio_stderr=error / teacher.p50_ms,
        absolute_stderr_ms=error,
    )


def _is_lost(event: Event) -> bool:
    return isinstance(event, RequestFailed) and event.failure.code == "worker_lost"
