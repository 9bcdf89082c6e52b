"""Measure what a user waits for: the time of one forward pass of a saved model, beside a reference.

The caller sees to it that nothing else of ours runs on the device. What others run there is met by taking turns
(`turns.py`) and by what is made of the rounds (`ose/core/rounds.py`). Profiler sums are no substitute: they are 7 to
50 % off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import overload

import numpy as np

from ose.core.failures import failure_report
from ose.core.job import FailureReport
from ose.core.measurement import DeviceFingerprint, LatencyMeasurement, LatencyProtocol
from ose.core.messages import LatencyReply, LatencyRequest, SavedModel
from ose.core.rounds import NOISY, Estimate, Rounds, best_supported, is_starved, percentile, ratio_to_reference
from ose.latency.fingerprint import load_average
from ose.latency.other_load import OtherLoad
from ose.latency.turns import Timed, take_turns, warm
from ose.runtimes.base import Session, host_time_ms

Open = Callable[[SavedModel], Session]

_LEAST_SHAPES = 17
"""Fewer models get the time of so many, 10 s by default: on a busy machine the errors of few fall as slowly."""


def measure_latencies(open_session: Open, request: LatencyRequest, fingerprint: DeviceFingerprint) -> LatencyReply:
    """Have a reference and models take turns.

    Args:
        open_session: Loads a saved model on its device.
        request: What is measured, and how.
        fingerprint: The device.

    Returns:
        Of what cannot be loaded or run, why.

    Raises:
        Exception: Whatever the reference could not be loaded or run for.
    """
    reference = _timed(open_session, request.reference, request)
    models = [_timed_or_failure(open_session, each, request) for each in request.models]
    running = [each for each in models if not isinstance(each, FailureReport)]
    seconds = request.protocol.seconds_per_shape * max(_LEAST_SHAPES, len(running)) * len(request.inputs)
    of_reference, of_models = _measured(reference, running, seconds, fingerprint)
    found = iter(of_models)
    return LatencyReply(
        reference=of_reference,
        models=tuple(each if isinstance(each, FailureReport) else next(found) for each in models),
    )


def time_call(
    call: Callable[[], object], protocol: LatencyProtocol, fingerprint: DeviceFingerprint
) -> LatencyMeasurement:
    """Time what is no saved model, in this process and on its CPU, beside nothing: it has no ratio.

    Args:
        call: Does it once, in this thread.
        protocol: Its threads and time count.
        fingerprint: This machine.
    """
    timed = warm(partial(host_time_ms, call), has_cpu_time=protocol.threads == 1)
    [found], _ = _measured([timed], [], protocol.seconds_per_shape, fingerprint)
    return replace(found, ratio=None, ratio_stderr=None)


def _timed_or_failure(open_session: Open, model: SavedModel, request: LatencyRequest) -> list[Timed] | FailureReport:
    try:
        return _timed(open_session, model, request)
    except Exception as error:
        return failure_report(error)


def _timed(open_session: Open, model: SavedModel, request: LatencyRequest) -> list[Timed]:
    session, protocol = open_session(model), request.protocol
    has_cpu_time = protocol.device == "cpu" and protocol.threads == 1
    generator = np.random.default_rng(0)
    inputs = (generator.integers(10, model.vocab_size, shape) for shape in request.inputs)
    return [warm(session.timed(each), has_cpu_time=has_cpu_time) for each in inputs]


def _measured(
    reference: Sequence[Timed], models: Sequence[Sequence[Timed]], seconds: float, fingerprint: DeviceFingerprint
) -> tuple[tuple[LatencyMeasurement, ...], list[tuple[LatencyMeasurement, ...]]]:
    load_before, others = load_average(), OtherLoad()
    of_reference, of_models = take_turns(reference, models, seconds)
    conditions = _Conditions(load_before, load_average(), others.cores(), fingerprint)
    times = [best_supported(rounds) for rounds in of_reference]
    measured = [
        tuple(conditions.measurement(*each) for each in zip(rounds, times, strict=True))
        for rounds in (of_reference, *of_models)
    ]
    for_reference = tuple(
        replace(each, is_flagged=each.is_flagged or time.relative > NOISY)
        for each, time in zip(measured[0], times, strict=True)
    )
    return for_reference, measured[1:]


@dataclass(frozen=True, slots=True)
class _Conditions:
    """What all that was measured at once has in common."""

    load_before: float
    load_after: float
    other_load_cores: float | None
    fingerprint: DeviceFingerprint

    def measurement(self, rounds: Rounds, reference: Estimate) -> LatencyMeasurement:
        """What rounds tell of a model.

        Args:
            rounds: Its turns beside the reference's.
            reference: What the reference takes.
        """
        ratio, ordered = ratio_to_reference(rounds), sorted(rounds.wall_ms)
        return LatencyMeasurement(
            p10_ms=percentile(ordered, 0.1),
            p50_ms=ratio.value * reference.value,
            p90_ms=percentile(ordered, 0.9),
            samples_ms=_rounded(rounds.wall_ms),
            load_before=self.load_before,
            load_after=self.load_after,
            is_flagged=ratio.relative > NOISY or is_starved(rounds),
            fingerprint=self.fingerprint,
            other_load_cores=self.other_load_cores,
            ratio=ratio.value,
            ratio_stderr=ratio.stderr,
            absolute_stderr_ms=math.hypot(ratio.relative, reference.relative) * ratio.value * reference.value,
            cpu_samples_ms=_rounded(rounds.cpu_ms),
            reference_samples_ms=_rounded(rounds.reference_wall_ms),
            reference_cpu_samples_ms=_rounded(rounds.reference_cpu_ms),
        )


@overload
def _rounded(times_ms: Sequence[float]) -> tuple[float, ...]: ...
@overload
def _rounded(times_ms: None) -> None: ...
def _rounded(times_ms: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if times_ms is None else tuple(round(each, 5) for each in times_ms)
