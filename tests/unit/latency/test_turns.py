"""Who takes turns, how long, and when that ends: on a clock that stands still unless something runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from ose.latency import turns
from ose.latency.turns import MAX_ROUNDS, MIN_ROUNDS, TURN_MS, WARMUP_S, Timed, take_turns, warm


class Machine:
    """A clock, and a core of which others may take a share."""

    def __init__(self) -> None:
        self.now_s = self.cpu_s = 0.0
        self.calls: list[str] = []

    def perf_counter(self) -> float:
        return self.now_s

    def thread_time(self) -> float:
        return self.cpu_s

    def call(
        self, name: str, call_ms: Callable[[], float], share: Callable[[], float] = lambda: 1.0
    ) -> Callable[[], float]:
        """Something that takes so many milliseconds of the processor, of which it has a share."""

        def called() -> float:
            self.calls.append(name)
            cpu_ms = call_ms()
            wall_ms = cpu_ms / share()
            self.cpu_s += cpu_ms / 1e3
            self.now_s += wall_ms / 1e3
            return wall_ms

        return called


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(turns, "time", machine)
    return machine


def timed(machine: Machine, name: str, *call_ms: float, share: Callable[[], float] = lambda: 1.0) -> Timed:
    times: Iterator[float] = itertools.cycle(call_ms)
    return warm(machine.call(name, lambda: next(times), share), has_cpu_time=True)


def counted(machine: Machine, count: int) -> dict[str, int]:
    """Calls a round, without those that warmed up."""
    return {name: round(machine.calls.count(name) / count) for name in dict.fromkeys(machine.calls)}


def test_warming_up_takes_five_calls_and_a_while(machine: Machine) -> None:
    assert timed(machine, "slow", 100.0).call_ms == pytest.approx(100.0)
    assert machine.calls == ["slow"] * 5
    timed(machine, "fast", 1.0)
    assert machine.calls.count("fast") == pytest.approx(WARMUP_S * 1e3, abs=1)


@pytest.mark.parametrize(("teacher_ms", "turn_ms"), [(100.0, 100.0), (5.0, TURN_MS)])
def test_every_turn_lasts_as_long_as_one_call_of_the_reference_or_a_while(
    teacher_ms: float, turn_ms: float, machine: Machine
) -> None:
    reference, small = timed(machine, "teacher", teacher_ms), timed(machine, "small", 2.0)
    machine.calls.clear()
    [own], [[found]] = take_turns([reference], [[small]], time_s=0.0)
    assert len(own.wall_ms) == len(found.wall_ms) == MIN_ROUNDS
    assert counted(machine, MIN_ROUNDS) == {"teacher": round(turn_ms / teacher_ms), "small": round(turn_ms / 2.0)} or (
        counted(machine, MIN_ROUNDS) == {"small": round(turn_ms / 2.0), "teacher": round(turn_ms / teacher_ms)}
    )
    assert found.wall_ms == pytest.approx([2.0] * MIN_ROUNDS)
    assert found.reference_wall_ms == pytest.approx([teacher_ms] * MIN_ROUNDS)


def test_what_others_take_of_the_processor_is_in_the_wall_time_alone(machine: Machine) -> None:
    shares = itertools.cycle([1.0, 0.5, 0.25])
    reference = timed(machine, "teacher", 30.0, share=lambda: next(shares))
    small = timed(machine, "small", 3.0, share=lambda: next(shares))
    _, [[found]] = take_turns([reference], [[small]], time_s=0.0)
    assert found.cpu_ms == pytest.approx([3.0] * MIN_ROUNDS)
    assert found.reference_cpu_ms == pytest.approx([30.0] * MIN_ROUNDS)
    assert max(found.wall_ms) > 4.0


def test_processor_time_is_not_told_where_one_of_them_computes_elsewhere(machine: Machine) -> None:
    reference = timed(machine, "teacher", 30.0)
    small = warm(machine.call("small", lambda: 3.0), has_cpu_time=False)
    _, [[found]] = take_turns([reference], [[small]], time_s=0.0)
    assert found.cpu_ms is None


def test_rounds_end_once_all_is_known_well_enough(machine: Machine) -> None:
    reference, small = timed(machine, "teacher", 30.0), timed(machine, "small", 3.0)
    [own], _ = take_turns([reference], [[small]], time_s=1e6)
    assert len(own.wall_ms) == MIN_ROUNDS


def test_rounds_end_when_the_time_is_up(machine: Machine) -> None:
    reference = timed(machine, "teacher", 20.0, 60.0, 35.0)
    started_s = machine.now_s
    take_turns([reference], [[timed(machine, "small", 3.0, 9.0, 5.0)]], time_s=2.0)
    assert machine.now_s - started_s == pytest.approx(2.0, abs=0.5)


def test_rounds_end_somewhere(machine: Machine) -> None:
    ever_slower = map(float, itertools.count(20))
    reference = warm(machine.call("teacher", lambda: next(ever_slower) ** 3), has_cpu_time=True)
    [own], _ = take_turns([reference], [], time_s=1e12)
    assert len(own.wall_ms) <= MAX_ROUNDS


def test_a_reference_may_take_its_turns_alone(machine: Machine) -> None:
    [own], none = take_turns([timed(machine, "teacher", 30.0)], [], time_s=0.0)
    assert none == [] and own.wall_ms == own.reference_wall_ms == pytest.approx([30.0] * MIN_ROUNDS)


def test_every_batch_is_compared_with_the_same_batch_of_the_reference(machine: Machine) -> None:
    reference = [timed(machine, "short", 30.0), timed(machine, "long", 60.0)]
    model = [timed(machine, "own short", 3.0), timed(machine, "own long", 4.0)]
    _, [[short, long]] = take_turns(reference, [model], time_s=0.0)
    assert (short.wall_ms[0], short.reference_wall_ms[0]) == pytest.approx((3.0, 30.0))
    assert (long.wall_ms[0], long.reference_wall_ms[0]) == pytest.approx((4.0, 60.0))


def test_the_order_differs_from_round_to_round_and_the_reference_is_never_far(machine: Machine) -> None:
    models = [[timed(machine, str(number), 20.0)] for number in range(12)]
    reference = timed(machine, "teacher", 20.0)
    machine.calls.clear()
    take_turns([reference], models, time_s=0.0)
    orders = [machine.calls[first : first + 15] for first in range(0, len(machine.calls), 15)]
    assert len(orders) == MIN_ROUNDS and all(sorted(each) == sorted(orders[0]) for each in orders)
    assert orders[0].count("teacher") == 3, "twelve models in three groups of four"
    assert len({tuple(each) for each in orders}) > 1
