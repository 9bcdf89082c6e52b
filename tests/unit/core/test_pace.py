import builders
import pytest

from ose.core.pace import BestPace, is_slow


@pytest.mark.parametrize(
    ("pace_ms", "best_ms", "expected"),
    [(1.08, 1.0, False), (1.081, 1.0, True), (0.9, 1.0, False), (None, 1.0, False), (2.0, None, False)],
)
def test_slow_is_clearly_above_the_best(pace_ms: float | None, best_ms: float | None, expected: bool) -> None:
    assert is_slow(pace_ms, best_ms) is expected


def test_the_best_pace_is_the_fastest_that_was_seen() -> None:
    best = BestPace()
    for pace_ms in (1.5, None, 1.2, 1.4):
        best.learn(builders.latency(10.0, pace_ms=pace_ms))
    best.learn(None)
    assert best.best_ms == 1.2
    assert best.was_slow(builders.latency(10.0, pace_ms=1.5))
    assert not best.was_slow(builders.latency(10.0, pace_ms=1.25))
    assert not best.was_slow(builders.latency(10.0))
