import math
import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ose.core.score import LOSS_FLOOR_NATS, Measures, ScoreRule, loss_for_score, score
from ose.errors import InvalidInputError

TEACHER = Measures(num_parameters=100, latency_ms=10.0, loss_nats=1.5)
STUDENT = Measures(
    num_parameters=25, latency_ms=4.0, loss_nats=2.0, latency_stderr_ms=0.02, loss_stderr_nats=0.01
)  # factors 0.75, 0.6 and 1 / 2


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (ScoreRule(), 0.75 * 0.6 / 2),
        (ScoreRule(exponents=(2, 0, 3)), 0.75**2 / 2**3),
        (ScoreRule(formula="excess"), 0.75 * 0.6 / 0.5),
        (ScoreRule(formula="excess", exponents=(0, 1, 0.5)), 0.6 / 0.5**0.5),
        (ScoreRule(exponents=(0, 0, 0)), 1.0),
    ],
)
def test_w_by_hand(rule: ScoreRule, value: float) -> None:
    assert score(STUDENT, TEACHER, rule).value == pytest.approx(value)


@pytest.mark.parametrize(
    "change",
    [{"num_parameters": 120}, {"latency_ms": 12.0}, {"num_parameters": 120, "latency_ms": 12.0}],
    ids=["larger", "slower", "both"],
)
def test_a_student_larger_or_slower_than_its_teacher_scores_zero(change: dict[str, float]) -> None:
    found = score(replace(STUDENT, **change), TEACHER, ScoreRule())
    assert (found.value, found.stderr) == (0.0, 0.0)


def test_a_factor_with_exponent_zero_cannot_exclude() -> None:
    slow = replace(STUDENT, latency_ms=12.0)
    assert score(slow, TEACHER, ScoreRule(exponents=(1, 0, 1))).value == pytest.approx(0.75 / 2)


@pytest.mark.parametrize("loss_nats", [0.0, LOSS_FLOOR_NATS / 2, LOSS_FLOOR_NATS])
def test_a_perfect_student_scores_as_at_the_floor(loss_nats: float) -> None:
    assert score(replace(STUDENT, loss_nats=loss_nats), TEACHER, ScoreRule()).value == pytest.approx(
        0.75 * 0.6 / LOSS_FLOOR_NATS
    )


def test_noise_below_the_teachers_own_entropy_scores_as_at_the_floor() -> None:
    lucky = replace(STUDENT, loss_nats=1.49)
    assert score(lucky, TEACHER, ScoreRule(formula="excess")).value == pytest.approx(0.75 * 0.6 / LOSS_FLOOR_NATS)


@pytest.mark.parametrize("formula", ["w", "excess"])
@pytest.mark.parametrize("exponents", [(1, 1, 1), (1, 2, 0.5), (0, 0, 1), (1, 1, 0)])
def test_the_standard_error_follows_from_finite_differences(formula: str, exponents: tuple[float, ...]) -> None:
    rule = ScoreRule(formula=formula, exponents=exponents)

    def value(latency_ms: float, loss_nats: float) -> float:
        return score(replace(STUDENT, latency_ms=latency_ms, loss_nats=loss_nats), TEACHER, rule).value

    step = 1e-5
    by_latency = (value(4.0 + step, 2.0) - value(4.0 - step, 2.0)) / (2 * step)
    by_loss = (value(4.0, 2.0 + step) - value(4.0, 2.0 - step)) / (2 * step)
    expected = math.hypot(by_latency * STUDENT.latency_stderr_ms, by_loss * STUDENT.loss_stderr_nats)
    assert score(STUDENT, TEACHER, rule).stderr == pytest.approx(expected, rel=1e-6)


def test_the_standard_error_is_the_spread_of_repeated_measurements() -> None:
    rng = random.Random(0)
    values = [
        score(
            replace(STUDENT, latency_ms=rng.gauss(4.0, 0.02), loss_nats=rng.gauss(2.0, 0.01)), TEACHER, ScoreRule()
        ).value
        for _ in range(4000)
    ]
    assert statistics.stdev(values) == pytest.approx(score(STUDENT, TEACHER, ScoreRule()).stderr, rel=0.05)


@given(
    parameters=st.integers(1, 99),
    latency_ms=st.floats(0.1, 9.9),
    loss_nats=st.floats(0.01, 20),
    formula=st.sampled_from(["w", "excess"]),
)
def test_no_improvement_ever_lowers_the_score(
    parameters: int, latency_ms: float, loss_nats: float, formula: str
) -> None:
    rule = ScoreRule(formula=formula)
    student = Measures(num_parameters=parameters, latency_ms=latency_ms, loss_nats=loss_nats)
    value = score(student, TEACHER, rule).value
    assert score(replace(student, num_parameters=parameters - 1), TEACHER, rule).value >= value
    assert score(replace(student, latency_ms=latency_ms * 0.9), TEACHER, rule).value >= value
    assert score(replace(student, loss_nats=loss_nats * 0.9), TEACHER, rule).value >= value


@pytest.mark.parametrize("exponents", [(-1, 1, 1), (1, math.nan, 1), (1, 1, math.inf), (1, 1, 101)])
def test_exponents_that_give_no_number_are_refused(exponents: tuple[float, float, float]) -> None:
    with pytest.raises(InvalidInputError, match="exponents"):
        ScoreRule(exponents=exponents)


def test_the_largest_exponents_still_give_a_number() -> None:
    perfect = replace(STUDENT, loss_nats=0.0)
    assert math.isfinite(score(perfect, TEACHER, ScoreRule(exponents=(100, 100, 100))).value)
    assert math.isfinite(score(perfect, TEACHER, ScoreRule(exponents=(0, 0, 100))).value)


RULES = [
    ScoreRule(formula=formula, exponents=exponents)
    for formula in ("w", "excess")
    for exponents in ((1, 1, 1), (2, 0, 3), (0, 1, 0.5))
]


def test_excess_takes_the_error_of_the_divergence_where_it_is_known() -> None:
    rule = ScoreRule(formula="excess", exponents=(1, 0, 1))
    known = replace(STUDENT, divergence_stderr_nats=0.001)
    assert score(known, TEACHER, rule).stderr == pytest.approx(score(STUDENT, TEACHER, rule).stderr / 10)
    assert score(known, TEACHER, ScoreRule()) == score(STUDENT, TEACHER, ScoreRule())


@pytest.mark.parametrize("exponent", [0.25, 0.5, 1.0, 3.0])
def test_the_error_of_a_latency_is_bounded_where_the_clamp_begins(exponent: float) -> None:
    """A tangent there would be as steep as one likes; what a standard error can do is no more than the score itself."""
    rule = ScoreRule(exponents=(1, exponent, 1))
    at_the_clamp = replace(STUDENT, latency_ms=10.0, latency_stderr_ms=0.1, loss_stderr_nats=0.0)
    faster = score(replace(at_the_clamp, latency_ms=9.9), TEACHER, rule).value
    assert score(at_the_clamp, TEACHER, rule).stderr == pytest.approx(faster / 2)
    just_below = replace(at_the_clamp, latency_ms=10.0 - 1e-9)
    assert score(just_below, TEACHER, rule).stderr == pytest.approx(faster / 2, rel=1e-3)


def test_an_unknown_error_of_a_latency_makes_that_of_the_score_unknown() -> None:
    assert math.isnan(score(replace(STUDENT, latency_stderr_ms=math.nan), TEACHER, ScoreRule()).stderr)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("loss_nats", [1.6, 2.0, 7.0])
def test_the_loss_for_a_score_scores_so(rule: ScoreRule, loss_nats: float) -> None:
    value = score(replace(STUDENT, loss_nats=loss_nats), TEACHER, rule).value
    unknown = replace(STUDENT, loss_nats=math.nan)
    assert loss_for_score(unknown, TEACHER, rule, value) == pytest.approx(loss_nats)


def test_any_loss_will_do_for_a_score_of_zero_and_none_for_a_student_that_is_too_large() -> None:
    rule = ScoreRule()
    assert loss_for_score(STUDENT, TEACHER, rule, 0.0) == math.inf
    assert loss_for_score(replace(STUDENT, num_parameters=120), TEACHER, rule, 0.1) == -math.inf
    no_loss = ScoreRule(exponents=(1, 1, 0))
    assert loss_for_score(STUDENT, TEACHER, no_loss, 0.44) == math.inf
    assert loss_for_score(STUDENT, TEACHER, no_loss, 0.46) == -math.inf
