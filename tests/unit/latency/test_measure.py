import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from builders import architecture
from clocks import WaitingClock
from saved_models import saved
from searches import facts_of
from torch import nn

from ose.core.measurement import LatencyMeasurement, LatencyProtocol
from ose.latency import measure, reference_pace
from ose.latency.fingerprint import device_fingerprint
from ose.latency.measure import MAX_OTHER_CORES, MIN_SAMPLES, _percentile, measure_latency
from ose.latency.reference_pace import FIRST_PATIENCE_S, Patience
from ose.latency.target_device import TargetDevice
from ose.runtimes import base
from ose.runtimes.torch.engine import ENGINE, TorchSession
from ose.runtimes.torch.rules import RULES

PROTOCOL = LatencyProtocol(sequence_length=8)


class Encoder(nn.Module):
    """Takes the times it is given, call after call, and remembers how it was called."""

    def __init__(self, wait: Callable[[float], None], times_s: Iterable[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.calls: list[SimpleNamespace] = []
        self._wait = wait
        self._times_s = iter(times_s)

    def forward(self, input_ids: torch.Tensor) -> None:
        self.calls.append(
            SimpleNamespace(
                input_ids=input_ids,
                threads=torch.get_num_threads(),
                dtype=self.weight.dtype,
                records_gradients=torch.is_grad_enabled(),
            )
        )
        self._wait(next(self._times_s))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WaitingClock:
    clock = WaitingClock()
    monkeypatch.setattr(measure, "time", clock)
    monkeypatch.setattr(base, "time", clock)
    return clock


class Others:
    """Keep so many cores busy, attempt after attempt."""

    def __init__(self, *cores: float | None) -> None:
        self._cores = itertools.chain(cores, itertools.repeat(cores[-1]))

    def __call__(self) -> SimpleNamespace:
        return SimpleNamespace(cores=lambda: next(self._cores))


class Paces:
    """Tell these paces, one after the other, and then the last one for ever."""

    def __init__(self, *paces_ms: float) -> None:
        self._paces_ms = itertools.chain(paces_ms, itertools.repeat(paces_ms[-1]))

    def __call__(self) -> float:
        return next(self._paces_ms)


def measured_of(
    encoder: nn.Module,
    protocol: LatencyProtocol = PROTOCOL,
    best_pace_ms: float | None = None,
    paces: Paces | None = None,
    patience: Patience | None = None,
) -> LatencyMeasurement:
    pace_ms = paces or Paces(1.0)
    device = TargetDevice(device_fingerprint(RULES), pace_ms, patience or Patience(pace_ms))
    return measure_latency(TorchSession(encoder, protocol), protocol, 100, device, best_pace_ms)


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "OtherLoad", Others(0.0))


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_the_median_is_what_one_waits() -> None:
    measured = measured_of(Encoder(time.sleep, itertools.repeat(0.02)))
    assert measured.p50_ms == pytest.approx(20, rel=0.1)
    assert measured.p10_ms <= measured.p50_ms <= measured.p90_ms
    assert len(measured.samples_ms) >= MIN_SAMPLES


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.77, 0.9, 1.0])
@pytest.mark.parametrize("count", [1, 2, 30, 31])
def test_percentiles_are_numpys(share: float, count: int) -> None:
    samples = np.random.default_rng(count).exponential(size=count)
    assert _percentile(samples.tolist(), share) == pytest.approx(np.quantile(samples, share))


def test_percentiles_are_those_of_the_samples(clock: WaitingClock) -> None:
    times = itertools.cycle([0.010, 0.011, 0.012, 0.009])
    measured = measured_of(Encoder(clock.sleep, times))
    samples = measured.samples_ms
    assert measured.p50_ms == pytest.approx(statistics.median(samples))
    assert (measured.p10_ms, measured.p90_ms) == pytest.approx((9.0, 12.0))
    assert sorted(set(samples)) == pytest.approx([9.0, 10.0, 11.0, 12.0])
    assert (measured.num_attempts, measured.is_flagged) == (1, False)


def test_what_stays_noisy_is_flagged_after_three_attempts(clock: WaitingClock) -> None:
    measured = measured_of(Encoder(clock.sleep, itertools.cycle([0.01, 0.01, 0.02])))
    assert measured.num_attempts == PROTOCOL.max_attempts == 3
    assert measured.is_flagged
    assert measured.p50_ms == pytest.approx(10)
    assert measured.p90_ms == pytest.approx(20)


def test_a_calm_attempt_after_a_noisy_one_is_believed(clock: WaitingClock) -> None:
    def times() -> Iterator[float]:
        while clock.now_s < 0.5:
            yield from (0.01, 0.01, 0.05)
        while True:
            yield 0.012

    measured = measured_of(Encoder(clock.sleep, times()))
    assert (measured.num_attempts, measured.is_flagged) == (2, False)
    assert measured.samples_ms == pytest.approx([12.0] * len(measured.samples_ms))


def test_the_least_noisy_of_three_noisy_attempts_is_kept(clock: WaitingClock) -> None:
    def times() -> Iterator[float]:
        while True:
            slow = 0.03 if 0.9 < clock.now_s < 1.8 else 0.09
            yield from (0.01, 0.01, slow)

    measured = measured_of(Encoder(clock.sleep, times()))
    assert (measured.num_attempts, measured.is_flagged) == (3, True)
    assert measured.p90_ms == pytest.approx(30)


@pytest.mark.parametrize(("cores", "attempts", "is_flagged"), [([0.2], 1, False), ([0.3], 3, True), ([None], 1, False)])
def test_an_even_measurement_beside_others_is_not_believed(
    cores: list[float | None], attempts: int, is_flagged: bool, clock: WaitingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "OtherLoad", Others(*cores))
    measured = measured_of(Encoder(clock.sleep, itertools.repeat(0.01)))
    assert (measured.num_attempts, measured.is_flagged) == (attempts, is_flagged)
    assert measured.other_load_cores == cores[0]


def test_an_attempt_without_others_is_preferred_to_a_calm_one(
    clock: WaitingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "OtherLoad", Others(2 * MAX_OTHER_CORES, 0.0))

    def times() -> Iterator[float]:
        while clock.now_s < 0.8:
            yield 0.02
        while True:
            yield from (0.01, 0.01, 0.012)

    measured = measured_of(Encoder(clock.sleep, times()))
    assert (measured.num_attempts, measured.is_flagged, measured.other_load_cores) == (2, False, 0.0)
    assert measured.p50_ms == pytest.approx(10)


@pytest.mark.parametrize(
    ("paces_ms", "attempts", "is_flagged", "pace_ms"),
    [
        ([1.0, 1.07], 1, False, 1.07),
        ([1.0, 1.09, 1.0], 2, False, 1.0),  # it became slow meanwhile, and fast again
        ([1.09, 1.0], 2, False, 1.0),
        ([1.2, 1.3, 1.2, 1.1, 1.2, 1.4], 3, True, 1.3),
    ],
)
def test_what_a_slow_machine_took_is_measured_again(
    paces_ms: list[float],
    attempts: int,
    is_flagged: bool,
    pace_ms: float,
    clock: WaitingClock,
) -> None:
    encoder = Encoder(clock.sleep, itertools.repeat(0.01))
    measured = measured_of(encoder, PROTOCOL, 1.0, Paces(*paces_ms), Patience(lambda: 1.0))
    assert (measured.num_attempts, measured.is_flagged, measured.pace_ms) == (attempts, is_flagged, pace_ms)


def test_a_machine_that_is_slow_for_good_is_measured_once_a_shape(
    clock: WaitingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_pace, "time", clock)
    patience = Patience(lambda: 1.5)
    encoder = Encoder(clock.sleep, itertools.repeat(0.01))
    measured = [measured_of(encoder, PROTOCOL, 1.0, Paces(1.5), patience) for _ in range(10)]
    assert [(each.num_attempts, each.is_flagged) for each in measured] == [(1, True)] * 10
    measured_s = 10 * 0.8
    assert clock.now_s == pytest.approx(FIRST_PATIENCE_S + 2 * measured_s, abs=2.0)


def test_what_is_measured_once_only_is_not_waited_for(clock: WaitingClock) -> None:
    encoder = Encoder(clock.sleep, itertools.repeat(0.01))
    measured = measured_of(encoder, replace(PROTOCOL, max_attempts=1), 1.0, Paces(1.5), Patience(pytest.fail))
    assert (measured.num_attempts, measured.is_flagged) == (1, True)


def test_without_a_best_pace_the_machine_is_taken_as_it_is(clock: WaitingClock) -> None:
    measured = measured_of(Encoder(clock.sleep, itertools.repeat(0.01)), paces=Paces(5.0, 9.0))
    assert (measured.num_attempts, measured.is_flagged, measured.pace_ms) == (1, False, 9.0)


def test_a_protocol_may_ask_for_one_attempt(clock: WaitingClock) -> None:
    encoder = Encoder(clock.sleep, itertools.cycle([0.01, 0.01, 0.02]))
    measured = measured_of(encoder, replace(PROTOCOL, max_attempts=1))
    assert (measured.num_attempts, measured.is_flagged) == (1, True)


@pytest.mark.parametrize(("call_s", "count"), [(0.0001, 300), (0.005, 120), (1.0, 30)])
def test_timing_lasts_long_enough_for_a_stable_median(call_s: float, count: int, clock: WaitingClock) -> None:
    encoder = Encoder(clock.sleep, itertools.repeat(call_s))
    measured = measured_of(encoder)
    assert len(measured.samples_ms) == pytest.approx(count, abs=1)
    num_warmup_calls = len(encoder.calls) - len(measured.samples_ms)
    assert num_warmup_calls >= 5
    assert num_warmup_calls * call_s >= 0.2 - 1e-9


def test_warm_up_is_not_counted(clock: WaitingClock) -> None:
    times = itertools.chain([5.0] * 5, itertools.repeat(0.01))
    assert max(measured_of(Encoder(clock.sleep, times)).samples_ms) == pytest.approx(10)


def test_the_protocol_decides_input_threads_and_precision(clock: WaitingClock) -> None:
    encoder = Encoder(clock.sleep, itertools.repeat(0.01))
    protocol = LatencyProtocol(threads=2, batch_size=3, sequence_length=7, dtype="bfloat16")
    measured_of(encoder, protocol)
    assert {tuple(call.input_ids.shape) for call in encoder.calls} == {(3, 7)}
    assert {call.threads for call in encoder.calls} == {2}
    assert {call.dtype for call in encoder.calls} == {torch.bfloat16}
    assert not any(call.records_gradients for call in encoder.calls)


def test_a_second_length_is_timed_beside_the_first(clock: WaitingClock) -> None:
    class Growing(Encoder):
        def forward(self, input_ids: torch.Tensor) -> None:
            self.calls.append(SimpleNamespace(input_ids=input_ids))
            self._wait(input_ids.shape[1] / 1000)

    measured = measured_of(Growing(clock.sleep, ()), LatencyProtocol(sequence_length=8, long_sequence_length=24))
    assert (measured.p50_ms, measured.long_p50_ms) == pytest.approx((8.0, 24.0))
    assert set(measured.samples_ms) == {8.0} and not measured.is_flagged
    assert measured_of(Growing(clock.sleep, ())).long_p50_ms is None


def test_a_second_length_that_scatters_is_not_believed_either(clock: WaitingClock) -> None:
    class Uneven(Encoder):
        def forward(self, input_ids: torch.Tensor) -> None:
            self._wait(0.01 if input_ids.shape[1] == 8 else next(self._times_s))

    times = itertools.cycle([0.010, 0.030])
    protocol = LatencyProtocol(sequence_length=8, long_sequence_length=24)
    assert measured_of(Uneven(clock.sleep, times), protocol).is_flagged


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_real_encoder_is_measured_without_its_head(
    dtype: str, tiny_roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "TIMED_S", 0.05)
    monkeypatch.setattr(measure, "WARMUP_S", 0.0)
    protocol = LatencyProtocol(sequence_length=32, dtype=dtype)
    request = saved(tmp_path / "model", facts_of(tiny_roberta), architecture(2, 2, 16, 24), protocol)
    encoder = ENGINE.open(Path(request.folder), protocol)._module
    measured = measured_of(encoder, protocol)
    assert 0 < measured.p10_ms <= measured.p50_ms <= measured.p90_ms < 1000
    assert measured.load_before >= 0
    assert measured.fingerprint.runtime.startswith("torch")
    assert type(encoder).__name__ == "RobertaModel" and encoder.pooler is None
