"""A backend that looks outcomes up in a table, so that a coordinator can be led anywhere in milliseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import builders
from fake_results import result_of

from ose.core.architecture import Architecture
from ose.core.failures import failure_report
from ose.core.job import FailureReport
from ose.core.layer_choice import kept_layers
from ose.core.layer_subsets import Subset
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
    SavedModel,
    SavedModelRequest,
    TimedModel,
)
from ose.errors import EvaluationError, WorkerLostError

Outcome = float | FailureReport
"""A held-out loss, or why there is none."""


class Death(BaseException):
    """The coordinator's process ends here, as far as it can tell."""


def _nothing() -> None:
    pass


@dataclass
class FakeBackend:
    """Ends every task in one event at once, in the order submitted unless told otherwise.

    Attributes:
        outcomes: Of the attempts at an architecture, the last one for ever; a loss by default.
        latencies: Milliseconds of an architecture, or what measuring it raises; taken from its size by default.
        flagged: Architectures whose measurements are noisy.
        calm_after: So many measurements of each of those.
        fingerprint: The device.
        stages: Failures of data and targets tasks, used up one by one.
        pick: Index of the queued task that ends next.
        dies_at: Number of the call that ends the process.
        before_event: Called before each event.
        tasks, measured: Everything asked for.
        attempts: How often each architecture was trained; handed on, the table goes on where it was.
    """

    outcomes: Mapping[Architecture, Sequence[Outcome]] = field(default_factory=dict)
    latencies: Mapping[Architecture, Sequence[float | Exception]] = field(default_factory=dict)
    flagged: frozenset[Architecture] = frozenset()
    calm_after: int = 10**6
    fingerprint: DeviceFingerprint = field(default_factory=builders.fingerprint)
    stages: dict[type, list[FailureReport]] = field(default_factory=dict)
    pick: Callable[[Sequence[Request]], int] = lambda queue: 0
    dies_at: int | None = None
    before_event: Callable[[], None] = _nothing
    name: str = "fake"
    capacity: int = 2
    tasks: list[Request] = field(default_factory=list)
    measured: list[Architecture] = field(default_factory=list)
    attempts: dict[Architecture, int] = field(default_factory=dict)
    saved: dict[str, TimedModel] = field(default_factory=dict)
    num_calls: int = 0
    num_probes: int = 0
    num_starts: int = 0
    is_closed: bool = False
    is_settled: bool = False

    def __post_init__(self) -> None:
        self._queue: deque[Request] = deque()
        self._measurements: dict[Architecture, int] = {}

    @property
    def trained(self) -> list[Architecture]:
        """Architectures given out to be trained, in order."""
        return [task.architecture for task in self.tasks if isinstance(task, EvaluationRequest)]

    def submit(self, task: Request) -> None:
        self.is_settled = False
        self._count()
        self.tasks.append(task)
        self._queue.append(task)

    def next_event(self, timeout_s: float) -> Event | None:
        self._count()
        self.before_event()
        if not self._queue:
            return None
        index = self.pick(self._queue)
        task = self._queue[index]
        del self._queue[index]
        result = self._result(task)
        if isinstance(result, FailureReport):
            return RequestFailed(request_id=task.id, worker="fake-0", failure=result)
        return RequestSucceeded(request_id=task.id, worker="fake-0", result=result)

    @contextmanager
    def latency_probe(self, protocol: LatencyProtocol) -> Iterator[FakeProbe]:
        yield FakeProbe(self)

    def settle(self) -> None:
        assert not self._queue, "latencies are measured only while nothing runs"
        self.is_settled = True

    def close(self) -> None:
        self._queue.clear()
        self.is_closed = True

    def latency_of(self, architecture: Architecture) -> LatencyMeasurement:
        self._count()
        self.measured.append(architecture)
        known = self.latencies.get(architecture, [float(architecture.hidden_size * architecture.num_hidden_layers)])
        outcome = _nth(known, self._measurements, architecture)
        if isinstance(outcome, Exception):
            raise outcome
        flagged = architecture in self.flagged and self._measurements[architecture] <= self.calm_after
        return builders.latency(outcome, is_flagged=flagged, fingerprint=self.fingerprint)

    def _result(self, task: Request) -> Result | FailureReport:
        if failures := self.stages.get(type(task)):
            return failures.pop(0)
        if isinstance(task, SavedModelRequest):
            self.saved[task.folder] = task.model
        if not isinstance(task, EvaluationRequest):
            return result_of(task)
        outcome = _nth(self.outcomes.get(task.architecture, [4.0]), self.attempts, task.architecture)
        if not isinstance(outcome, float):
            return outcome
        return builders.evaluation(outcome, num_steps=task.num_steps, teacher_layers=_kept(task))

    def _count(self) -> None:
        self.num_calls += 1
        if self.num_calls == self.dies_at:
            raise Death


@dataclass
class FakeProbe:
    """Measures by the backend's table."""

    backend: FakeBackend
    has_measured: bool = False

    def start(self) -> None:
        self.backend.num_starts += 1

    def fingerprint(self) -> DeviceFingerprint:
        return self.backend.fingerprint

    def measure(self, task: LatencyRequest, check: Callable[[], None] = _nothing) -> LatencyReply:
        assert self.backend.is_settled, "a worker that starts would disturb the measurement"
        self.backend.num_probes += not self.has_measured
        self.has_measured = True
        check()
        teacher = self._latency(task.reference)
        models = tuple(self._beside(teacher, each) for each in task.models)
        return LatencyReply(reference=(_on_scale(teacher, teacher),), models=models)

    def _beside(self, teacher: LatencyMeasurement, model: SavedModel) -> tuple[LatencyMeasurement, ...] | FailureReport:
        try:
            return (_on_scale(teacher, self._latency(model)),)
        except WorkerLostError:
            raise
        except EvaluationError as error:
            return failure_report(error)

    def _latency(self, model: SavedModel) -> LatencyMeasurement:
        return self.backend.latency_of(self.backend.saved[model.folder].architecture)


def _on_scale(teacher: LatencyMeasurement, own: LatencyMeasurement) -> LatencyMeasurement:
    """With a ratio, as if both had taken turns."""
    ratio = own.p50_ms / teacher.p50_ms
    return replace(own, ratio=ratio, ratio_stderr=0.01 * ratio, absolute_stderr_ms=0.01 * own.p50_ms)


def _kept(task: EvaluationRequest) -> Subset | None:
    """What a worker would say it kept; the last layers are the most important."""
    if task.initialization == "random":
        return None
    depth, kept = task.teacher.architecture.num_hidden_layers, task.architecture.num_hidden_layers
    return kept_layers(task.inheritance.layers, depth, kept, range(depth))


def _nth(table: Sequence[Any], counts: dict[Architecture, int], architecture: Architecture) -> Any:
    attempt = counts[architecture] = counts.get(architecture, 0) + 1
    return table[min(attempt, len(table)) - 1]
