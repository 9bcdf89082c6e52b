import itertools
from collections.abc import Iterable

import pytest
import torch
from clocks import WaitingClock

from ose.latency import reference_pace
from ose.latency.reference_pace import FIRST_PATIENCE_S, Patience, machine_pace_ms
from ose.runtimes.torch.engine import ENGINE


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WaitingClock:
    clock = WaitingClock()
    monkeypatch.setattr(reference_pace, "time", clock)
    return clock


def patience(paces_ms: Iterable[float]) -> Patience:
    told = iter(paces_ms)
    return Patience(lambda: next(told))


def test_a_pace_is_the_time_of_a_real_calculation() -> None:
    state = torch.get_rng_state()
    assert 0 < machine_pace_ms(ENGINE) < 1000
    assert torch.equal(torch.get_rng_state(), state)


def test_a_fast_machine_is_not_waited_for(clock: WaitingClock) -> None:
    assert patience([1.0]).wait(1.0)
    assert clock.now_s == 0


def test_one_waits_until_the_machine_is_fast(clock: WaitingClock) -> None:
    assert patience([1.5, 1.4, 1.3, 1.08]).wait(1.0)
    assert clock.now_s == pytest.approx(1.5)


def test_patience_runs_out(clock: WaitingClock) -> None:
    waiting = patience(itertools.repeat(2.0))
    assert [waiting.wait(1.0) for _ in range(3)] == [False] * 3
    assert clock.now_s == pytest.approx(FIRST_PATIENCE_S)


def test_what_was_measured_may_be_waited_too(clock: WaitingClock) -> None:
    waiting = patience(itertools.repeat(2.0))
    waiting.wait(1.0)
    waiting.earn(7.0)
    waiting.wait(1.0)
    assert clock.now_s == pytest.approx(FIRST_PATIENCE_S + 7.0)
