"""What is made of rounds, on noise whose truth is known."""

import random
import statistics
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ose.core.rounds import (
    NOISY,
    SETTLED,
    Estimate,
    Rounds,
    best_supported,
    is_settled,
    is_starved,
    percentile,
    ratio_to_reference,
)

RATIO, TEACHER_MS = 0.2, 50.0


def rounds(
    count: int, disturbance: Callable[[random.Random], float], seed: int = 0, noise: float = 0.01, **changes: object
) -> Rounds:
    """Turns of a model and of a teacher, disturbed each on its own and both alike by a host that comes and goes."""
    draw = random.Random(seed)
    speeds = [1.5 if (each // 7) % 2 else 1.0 for each in range(count)]
    cpu = [[each * speed * (1 + draw.gauss(0, noise)) for speed in speeds] for each in (RATIO * TEACHER_MS, TEACHER_MS)]
    wall = [[each * (1 + disturbance(draw)) for each in times] for times in cpu]
    values = {
        "wall_ms": tuple(wall[0]),
        "cpu_ms": tuple(cpu[0]),
        "reference_wall_ms": tuple(wall[1]),
        "reference_cpu_ms": tuple(cpu[1]),
    }
    return Rounds(**{**values, **changes})


def calm(draw: random.Random) -> float:
    return 0.0


def shared_core(draw: random.Random) -> float:
    """What others take of the processor, which differs from turn to turn."""
    return draw.choice([0.0, 0.2, 0.5, 1.0])


@pytest.mark.parametrize("disturbance", [calm, shared_core])
def test_neither_a_slow_host_nor_a_shared_core_bends_a_ratio(disturbance: Callable[[random.Random], float]) -> None:
    ratio = ratio_to_reference(rounds(40, disturbance))
    assert ratio.value == pytest.approx(RATIO, rel=0.01)
    assert ratio.relative < SETTLED


def test_without_processor_time_a_shared_core_shows_in_the_error() -> None:
    unknown = {"cpu_ms": None, "reference_cpu_ms": None}
    assert ratio_to_reference(rounds(40, calm, **unknown)).value == pytest.approx(RATIO, rel=0.01)
    assert ratio_to_reference(rounds(40, shared_core, **unknown)).relative > NOISY


def test_the_standard_error_is_the_spread_of_repeated_measurements() -> None:
    found = [ratio_to_reference(rounds(60, calm, seed, noise=0.05)) for seed in range(300)]
    spread = statistics.stdev(each.value for each in found)
    assert statistics.fmean(each.stderr for each in found) == pytest.approx(spread, rel=0.15)


def test_the_teachers_time_is_that_of_the_fast_host() -> None:
    assert best_supported(rounds(60, shared_core)).value == pytest.approx(TEACHER_MS, rel=0.02)


def test_rounds_are_enough_when_the_error_is_small() -> None:
    assert is_settled(rounds(300, calm, noise=0.01))
    assert not is_settled(rounds(5, calm, noise=0.1))


def test_a_reference_beside_itself_has_a_ratio_of_one_and_still_a_time_to_be_known() -> None:
    own = (50.0, 80.0, 50.0, 90.0, 50.0, 70.0)
    itself = Rounds(wall_ms=own, cpu_ms=None, reference_wall_ms=own, reference_cpu_ms=None)
    assert ratio_to_reference(itself) == Estimate(value=1.0, stderr=0.0)
    assert not is_settled(itself)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.77, 0.9, 1.0])
@pytest.mark.parametrize("count", [1, 2, 30, 31])
def test_percentiles_are_numpys(share: float, count: int) -> None:
    values = np.random.default_rng(count).exponential(size=count)
    assert percentile(sorted(values.tolist()), share) == pytest.approx(np.quantile(values, share))


def test_the_error_of_the_teachers_time_is_the_spread_of_repeated_measurements() -> None:
    draw = random.Random(1)

    def found() -> Estimate:
        times = tuple(draw.gauss(50, 1) for _ in range(100))
        return best_supported(Rounds(wall_ms=times, cpu_ms=None, reference_wall_ms=times, reference_cpu_ms=None))

    measured = [found() for _ in range(300)]
    spread = statistics.stdev(each.value for each in measured)
    assert statistics.fmean(each.stderr for each in measured) == pytest.approx(spread, rel=0.15)


def test_few_wild_rounds_hardly_ever_look_calm() -> None:
    found = [ratio_to_reference(rounds(5, calm, seed, noise=0.2)) for seed in range(2000)]
    wrong = [each for each in found if each.relative <= NOISY and abs(each.value / RATIO - 1) > 0.1]
    assert len(wrong) <= 4


def test_who_had_less_than_half_of_the_processor_knows_nothing() -> None:
    assert not is_starved(rounds(20, lambda draw: 0.5))
    starved = rounds(20, lambda draw: 1.5)
    assert is_starved(starved) and not is_settled(starved)
    assert not is_starved(replace(starved, cpu_ms=None, reference_cpu_ms=None))
