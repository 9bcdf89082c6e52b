"""Measure what a user waits for: the wall-clock time of one forward pass of a saved model.

The caller sees to it that nothing else of ours runs on the device. Profiler sums are no substitute: they are 7 to
50 % off, and under load a two-thread median was seen 40 times too high, which is why a measurement that scatters, one
beside which others kept the processor busy, and one of a machine that was slower than it can be are repeated and, if
they stay so, flagged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ose.core.measurement import LatencyMeasurement, LatencyProtocol
from ose.core.pace import is_slow
from ose.latency.fingerprint import load_average
from ose.latency.other_load import OtherLoad
from ose.latency.target_device import TargetDevice
from ose.runtimes.base import Session, host_time_ms

WARMUP_S = 0.2
"""Enough for allocators and kernels to settle; five calls at least."""

TIMED_S = 0.6
"""Timing goes on for this long ..."""

GPU_WARMUP_S, GPU_TIMED_S = 0.1, 0.2
"""Events of an idle GPU scatter less than a CPU's clock, and hundreds of shapes are to take two minutes, not five."""

MIN_SAMPLES, MAX_SAMPLES = 30, 300
"""... but for at least and at most so many calls."""

MAX_SPREAD = 1.3
"""Above this p90 / p50 something else was running."""

MAX_OTHER_CORES = 0.25
"""Above this something else was running all the time, which p90 / p50 does not show. Ray's idle processes take less
than half of it."""


@dataclass(frozen=True, slots=True)
class _Timing:
    """What is timed, and for how long.

    Attributes:
        call: Runs once; returns how long that took, in ms.
    """

    call: Callable[[], float]
    warmup_s: float
    timed_s: float
    on_gpu: bool


@dataclass(frozen=True, slots=True)
class _Attempt:
    samples_ms: list[float]
    other_load_cores: float | None
    pace_ms: float | None
    is_slow: bool

    @property
    def spread(self) -> float:
        return _percentile(self.samples_ms, 0.9) / _percentile(self.samples_ms, 0.5)

    @property
    def is_beside_others(self) -> bool:
        return self.other_load_cores is not None and self.other_load_cores > MAX_OTHER_CORES

    @property
    def is_uneven(self) -> bool:
        return self.spread > MAX_SPREAD or self.is_beside_others

    @property
    def is_disturbed(self) -> bool:
        return self.is_uneven or self.is_slow


def measure_latency(
    session: Session,
    protocol: LatencyProtocol,
    vocab_size: int,
    device: TargetDevice,
    best_pace_ms: float | None = None,
) -> LatencyMeasurement:
    """Time forward passes of a model.

    Args:
        session: The model, on its device.
        protocol: Shape of the input, attempts.
        vocab_size: Token ids of the input are below it.
        device: What it runs on.
        best_pace_ms: The best pace of the machine that is known; None takes it as it is.

    Returns:
        The calmest of `protocol.max_attempts`, flagged if it was disturbed too: its p90 / p50 was above 1.3, others
        kept more than a quarter of a core busy beside it, or the machine was more than 8 % slower than at its best.
        A second length is timed in the same way, after the first.
    """

    def measured(num_tokens: int) -> LatencyMeasurement:
        timing = _timing(session, protocol, num_tokens, vocab_size)
        return _measured(timing, protocol.max_attempts, device, best_pace_ms)

    usual = measured(protocol.num_tokens)
    if protocol.long_sequence_length is None:
        return usual
    longer = measured(protocol.long_sequence_length)
    return replace(
        usual,
        load_after=longer.load_after,
        is_flagged=usual.is_flagged or longer.is_flagged,
        long_p50_ms=longer.p50_ms,
    )


def time_calls(
    call: Callable[[], object], device: TargetDevice, max_attempts: int, best_pace_ms: float | None = None
) -> LatencyMeasurement:
    """Time what is no saved model, in this process and on its CPU, and flag it as a model's latency is flagged.

    Args:
        call: Does it once.
        device: This machine.
        max_attempts: As a protocol has them.
        best_pace_ms: As in `measure_latency`.
    """
    timing = _Timing(partial(host_time_ms, call), WARMUP_S, TIMED_S, on_gpu=False)
    return _measured(timing, max_attempts, device, best_pace_ms)


def _measured(
    timing: _Timing, max_attempts: int, device: TargetDevice, best_pace_ms: float | None
) -> LatencyMeasurement:
    load_before = load_average()
    attempts = _attempts(timing, max_attempts, device, best_pace_ms)
    calmest = min(attempts, key=lambda each: (each.is_beside_others, each.is_slow, each.spread))
    samples = calmest.samples_ms
    return LatencyMeasurement(
        p10_ms=_percentile(samples, 0.1),
        p50_ms=_percentile(samples, 0.5),
        p90_ms=_percentile(samples, 0.9),
        samples_ms=tuple(round(sample, 5) for sample in samples),
        load_before=load_before,
        load_after=load_average(),
        num_attempts=len(attempts),
        is_flagged=calmest.is_disturbed,
        fingerprint=device.fingerprint,
        other_load_cores=calmest.other_load_cores,
        pace_ms=calmest.pace_ms,
    )


def _timing(session: Session, protocol: LatencyProtocol, num_tokens: int, vocab_size: int) -> _Timing:
    shape = (protocol.batch_size, num_tokens)
    input_ids = np.random.default_rng(0).integers(10, vocab_size, shape)
    if protocol.device.startswith("cuda"):
        return _Timing(session.timed(input_ids), GPU_WARMUP_S, GPU_TIMED_S, on_gpu=True)
    return _Timing(session.timed(input_ids), WARMUP_S, TIMED_S, on_gpu=False)


def _attempts(timing: _Timing, max_attempts: int, device: TargetDevice, best_pace_ms: float | None) -> list[_Attempt]:
    """Until one is undisturbed. On a machine that was waited for in vain, being slow is no reason for another one.

    What is measured once only is measured at once.
    """
    attempts: list[_Attempt] = []
    waits = best_pace_ms is not None and max_attempts > 1 and not timing.on_gpu
    is_worth_another = True
    while is_worth_another and len(attempts) < max_attempts:
        is_fast = not waits or device.patience.wait(best_pace_ms)
        started = time.perf_counter()
        attempts.append(_attempt(timing, device, best_pace_ms))
        device.patience.earn(time.perf_counter() - started)
        is_worth_another = attempts[-1].is_disturbed if is_fast else attempts[-1].is_uneven
    return attempts


def _attempt(timing: _Timing, device: TargetDevice, best_pace_ms: float | None) -> _Attempt:
    if timing.on_gpu:
        return _Attempt(_sample(timing), other_load_cores=None, pace_ms=None, is_slow=False)
    pace_before_ms, others = device.pace_ms(), OtherLoad()
    samples = _sample(timing)
    other_load_cores, pace_ms = others.cores(), max(pace_before_ms, device.pace_ms())
    return _Attempt(samples, other_load_cores, pace_ms, is_slow(pace_ms, best_pace_ms))


def _sample(timing: _Timing) -> list[float]:
    warm_until = time.perf_counter() + timing.warmup_s
    calls = 0
    while calls < 5 or time.perf_counter() < warm_until:
        timing.call()
        calls += 1
    samples: list[float] = []
    stop_at = time.perf_counter() + timing.timed_s
    while len(samples) < MIN_SAMPLES or (len(samples) < MAX_SAMPLES and time.perf_counter() < stop_at):
        samples.append(timing.call())
    return samples


def _percentile(samples: list[float], share: float) -> float:
    ordered = sorted(samples)
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])
