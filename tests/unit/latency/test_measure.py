"""What is made of turns, of sessions that take the times they are given, and of a real encoder."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import builders
import numpy as np
import pytest
import torch
from builders import architecture
from numpy.typing import NDArray
from saved_models import measuring, saved
from searches import facts_of

from ose.core.job import FailureReport
from ose.core.measurement import LatencyMeasurement, LatencyProtocol
from ose.core.messages import LatencyReply, LatencyRequest, SavedModel
from ose.errors import EvaluationError
from ose.latency import measure, turns
from ose.latency.measure import measure_latencies, time_call
from ose.latency.turns import MIN_ROUNDS
from ose.runtimes.base import Session
from ose.runtimes.torch.engine import ENGINE

PROTOCOL = LatencyProtocol(sequence_length=8, seconds_per_shape=0.1)
DEVICE = builders.fingerprint()


class Clock:
    """Stands still unless something runs; a thread may have less of the processor than passes of the time."""

    def __init__(self) -> None:
        self.now_s = self.cpu_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s

    def thread_time(self) -> float:
        return self.cpu_s


class Timed:
    """A session that takes the times it is given, of which others take a share, and remembers its inputs."""

    def __init__(self, clock: Clock, times_ms: Iterable[float], share: float) -> None:
        self._clock, self._times_ms, self._share = clock, itertools.cycle(times_ms), share
        self.inputs: list[NDArray[np.int64]] = []

    def timed(self, input_ids: NDArray[np.int64]) -> Callable[[], float]:
        self.inputs.append(input_ids)

        def call() -> float:
            cpu_ms = next(self._times_ms) * input_ids.size / 8
            self._clock.cpu_s += cpu_ms / 1e3
            self._clock.now_s += cpu_ms / self._share / 1e3
            return cpu_ms / self._share

        return call

    def output(self, input_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        raise AssertionError("nobody asks for it")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def model(name: str) -> SavedModel:
    return SavedModel(folder=name, vocab_size=100)


def request(*names: str, protocol: LatencyProtocol = PROTOCOL) -> LatencyRequest:
    models = tuple(map(model, names))
    return LatencyRequest(reference=model("teacher"), models=models, inputs=protocol.inputs, protocol=protocol)


def replied(
    clock: Clock, asked: LatencyRequest, share: float = 1.0, **times_ms: Iterable[float]
) -> tuple[LatencyReply, dict[str, Timed]]:
    """Of sessions by their names; a folder without one holds nothing that can be loaded."""
    sessions = {name: Timed(clock, each, share) for name, each in times_ms.items()}

    def opened(model: SavedModel) -> Session:
        if model.folder not in sessions:
            raise EvaluationError(f"{model.folder} holds no model")
        return sessions[model.folder]

    return measure_latencies(opened, asked, DEVICE), sessions


def found(reply: LatencyReply, index: int = 0) -> LatencyMeasurement:
    measured = reply.models[index]
    assert not isinstance(measured, FailureReport)
    return measured[0]


def test_a_latency_is_a_ratio_times_the_teachers_time(clock: Clock) -> None:
    reply, _ = replied(clock, request("small", "large"), teacher=[40.0], small=[2.0], large=[20.0])
    [teacher] = reply.reference
    assert (teacher.p50_ms, teacher.ratio, teacher.ratio_stderr) == (pytest.approx(40.0), 1.0, 0.0)
    assert [(each.ratio, each.p50_ms) for each in (found(reply), found(reply, 1))] == [
        (pytest.approx(0.05), pytest.approx(2.0)),
        (pytest.approx(0.5), pytest.approx(20.0)),
    ]
    assert not teacher.is_flagged and not found(reply).is_flagged
    assert teacher.fingerprint == found(reply).fingerprint == DEVICE
    assert len(found(reply).samples_ms) == MIN_ROUNDS


def test_the_rounds_are_kept_as_they_were(clock: Clock) -> None:
    reply, _ = replied(clock, request("small"), share=0.8, teacher=[40.0], small=[2.0])
    small = found(reply)
    assert small.samples_ms == pytest.approx([2.5] * MIN_ROUNDS)
    assert small.cpu_samples_ms == pytest.approx([2.0] * MIN_ROUNDS)
    assert small.reference_samples_ms == pytest.approx([50.0] * MIN_ROUNDS)
    assert small.reference_cpu_samples_ms == pytest.approx([40.0] * MIN_ROUNDS)
    assert (small.p10_ms, small.p50_ms, small.p90_ms) == pytest.approx((2.5, 2.0, 2.5))


def test_what_stays_wild_is_flagged_and_the_teacher_by_its_own_time(clock: Clock) -> None:
    draw = random.Random(1)
    wild = [draw.choice([2.0, 40.0]) for _ in range(997)]
    reply, _ = replied(clock, request("calm", "wild"), teacher=[40.0], calm=[2.0], wild=wild)
    assert [found(reply).is_flagged, found(reply, 1).is_flagged] == [False, True]
    assert not reply.reference[0].is_flagged
    reply, _ = replied(clock, request("calm"), teacher=[40.0, 95.0, 61.0], calm=[2.0])
    assert reply.reference[0].is_flagged


def test_beside_others_who_have_most_of_the_processor_nothing_is_believed(clock: Clock) -> None:
    reply, _ = replied(clock, request("small"), share=0.4, teacher=[40.0], small=[2.0])
    assert reply.reference[0].is_flagged and found(reply).is_flagged


def test_the_time_given_is_that_of_seventeen_shapes_at_least(clock: Clock) -> None:
    wild = [30.0, 95.0, 61.0]
    replied(clock, request("small"), teacher=wild, small=[2.0])
    assert clock.now_s == pytest.approx(17 * PROTOCOL.seconds_per_shape, abs=0.6)
    clock.now_s = 0.0
    names = [f"shape{number}" for number in range(40)]
    replied(clock, request(*names), teacher=wild, **{name: [2.0] for name in names})
    assert clock.now_s == pytest.approx(40 * (PROTOCOL.seconds_per_shape + turns.WARMUP_S), abs=6.0)


def test_inputs_are_of_the_protocols_batch_and_lengths_in_the_same_rounds(clock: Clock) -> None:
    protocol = replace(PROTOCOL, batch_size=2, long_sequence_length=24)
    reply, sessions = replied(clock, request("small", protocol=protocol), teacher=[40.0], small=[2.0])
    measured = reply.models[0]
    assert not isinstance(measured, FailureReport)
    assert [each.p50_ms for each in measured] == pytest.approx([4.0, 12.0])
    assert [each.shape for each in sessions["small"].inputs] == [(2, 8), (2, 24)]
    assert all(each.min() >= 10 and each.max() < 100 for each in sessions["small"].inputs)
    assert len(measured[0].samples_ms) == len(measured[1].samples_ms)


def test_what_cannot_be_loaded_says_so_and_stands_in_nobodys_way(clock: Clock) -> None:
    reply, _ = replied(clock, request("lost", "small"), teacher=[40.0], small=[2.0])
    assert isinstance(reply.models[0], FailureReport)
    assert reply.models[0].message == "lost holds no model"
    assert found(reply, 1).p50_ms == pytest.approx(2.0)


def test_without_the_reference_there_is_nothing(clock: Clock) -> None:
    with pytest.raises(EvaluationError, match="teacher holds no model"):
        replied(clock, request("small"), small=[2.0])


@pytest.mark.parametrize("changes", [{"threads": 2}, {"device": "cuda"}])
def test_processor_time_counts_only_where_a_model_computes_in_the_thread_that_calls(
    changes: dict[str, object], clock: Clock
) -> None:
    asked = request("small", protocol=replace(PROTOCOL, **changes))
    reply, _ = replied(clock, asked, share=0.5, teacher=[40.0], small=[2.0])
    assert found(reply).cpu_samples_ms is None
    assert found(reply).p50_ms == pytest.approx(4.0)


def test_what_is_no_saved_model_is_timed_beside_nothing() -> None:
    measured = time_call(lambda: sum(range(1000)), PROTOCOL, DEVICE)
    assert measured.p50_ms > 0 and measured.ratio is None
    assert measured.p50_stderr_ms == measured.absolute_stderr_ms


def test_the_load_beside_is_told(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "load_average", lambda: 1.25)
    reply, _ = replied(clock, request(), teacher=[40.0])
    [teacher] = reply.reference
    assert (teacher.load_before, teacher.load_after) == (1.25, 1.25)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_real_encoder_is_measured_without_its_head(dtype: str, tiny_roberta: Path, tmp_path: Path) -> None:
    protocol = LatencyProtocol(sequence_length=32, dtype=dtype, seconds_per_shape=0.01)
    facts = facts_of(tiny_roberta)
    saved(tmp_path / "small", facts, architecture(1, 2, 16, 24), protocol)
    saved(tmp_path / "large", facts, architecture(4, 4, 64, 256), protocol)

    def opened(model: SavedModel) -> Session:
        session = ENGINE.open(Path(model.folder), protocol)
        assert type(session._module).__name__ == "RobertaModel" and session._module.pooler is None
        return session

    reply = measure_latencies(opened, measuring(facts, protocol, tmp_path / "large", tmp_path / "small"), DEVICE)
    assert 0 < found(reply).p50_ms < reply.reference[0].p50_ms < 1000
    assert torch.get_num_threads() == 1, "as the protocol asks"
