"""Measure what a user waits for: the wall-clock time of one forward pass of the encoder.

The caller sees to it that nothing else runs on the device. Profiler sums are no substitute: they are 7 to
50 % off, and under load a two-thread median was seen 40 times too high, which is why a noisy measurement is
repeated and, if it stays noisy, flagged.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from ose.core.measurement import LatencyMeasurement, LatencyProtocol
from ose.errors import DependencyError
from ose.measure.fingerprint import device_fingerprint, load_average

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

MAX_ATTEMPTS = 3


def measure_latency(model: PreTrainedModel, protocol: LatencyProtocol) -> LatencyMeasurement:
    """Time forward passes of a model's encoder.

    Args:
        model: A masked language model; its vocabulary head is left out, as in deployment.
        protocol: Device, threads, shape of the input, precision.

    Returns:
        The least noisy of up to three attempts, flagged if its p90 / p50 stayed above 1.3.

    Raises:
        DependencyError: The device is not there.
    """
    if protocol.device.startswith("cuda") and not torch.cuda.is_available():
        raise DependencyError(f"latency.device is {protocol.device}, but torch sees no GPU here")
    torch.set_num_threads(protocol.threads)
    encoder = model.base_model.to(device=protocol.device, dtype=getattr(torch, protocol.dtype)).eval()
    shape = (protocol.batch_size, protocol.sequence_length)
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(10, model.config.vocab_size, shape, generator=generator).to(protocol.device)
    on_gpu = protocol.device.startswith("cuda")
    timed = _cuda_timer(encoder, input_ids) if on_gpu else _cpu_timer(encoder, input_ids)
    warmup_s, timed_s = (GPU_WARMUP_S, GPU_TIMED_S) if on_gpu else (WARMUP_S, TIMED_S)

    load_before = load_average()
    attempts: list[list[float]] = []
    with torch.inference_mode():
        while len(attempts) < MAX_ATTEMPTS and (not attempts or _spread(attempts[-1]) > MAX_SPREAD):
            attempts.append(_sample(timed, warmup_s, timed_s))
    samples = min(attempts, key=_spread)
    return LatencyMeasurement(
        p10_ms=_percentile(samples, 0.1),
        p50_ms=_percentile(samples, 0.5),
        p90_ms=_percentile(samples, 0.9),
        samples_ms=tuple(round(sample, 5) for sample in samples),
        load_before=load_before,
        load_after=load_average(),
        num_attempts=len(attempts),
        is_flagged=_spread(samples) > MAX_SPREAD,
        fingerprint=device_fingerprint(protocol.device),
    )


def _sample(timed: Callable[[], float], warmup_s: float, timed_s: float) -> list[float]:
    warm_until = time.perf_counter() + warmup_s
    calls = 0
    while calls < 5 or time.perf_counter() < warm_until:
        timed()
        calls += 1
    samples: list[float] = []
    stop_at = time.perf_counter() + timed_s
    while len(samples) < MIN_SAMPLES or (len(samples) < MAX_SAMPLES and time.perf_counter() < stop_at):
        samples.append(timed())
    return samples


def _cpu_timer(encoder: torch.nn.Module, input_ids: torch.Tensor) -> Callable[[], float]:
    def timed() -> float:
        started = time.perf_counter()
        encoder(input_ids=input_ids)
        return (time.perf_counter() - started) * 1e3

    return timed


def _cuda_timer(encoder: torch.nn.Module, input_ids: torch.Tensor) -> Callable[[], float]:
    def timed() -> float:
        started, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        started.record()
        encoder(input_ids=input_ids)
        ended.record()
        ended.synchronize()
        return float(started.elapsed_time(ended))

    return timed


def _spread(samples: list[float]) -> float:
    return _percentile(samples, 0.9) / _percentile(samples, 0.5)


def _percentile(samples: list[float], share: float) -> float:
    ordered = sorted(samples)
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])
