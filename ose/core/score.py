"""The W-coefficient: parameters, latency and loss in one number, higher is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from ose.core.bounds import Bounds, require_bounds
from ose.errors import InvalidInputError

FORMULA_VERSION = 1
"""Raised whenever the same measurements would score differently."""

LOSS_FLOOR_NATS = 1e-3
"""A loss below this counts as this much, so that a perfect student has a finite score."""

MAX_EXPONENT = 100
"""A loss at the floor, raised to more than this, would exceed what a float holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRule:
    """Which formula ranks the candidates.

    Attributes:
        formula: `w` is the paper's, on the cross-entropy. `excess` takes the divergence from the teacher
            instead (cross-entropy less the teacher's own entropy), so that the entropy, which no student
            can go below, does not hide the differences between students.
        exponents: Of the parameter, latency and loss factors; (1, 1, 1) is the paper.
    """

    __pydantic_config__ = {"extra": "forbid"}

    formula: Literal["w", "excess"] = "w"
    exponents: Annotated[tuple[float, float, float], Bounds(0, MAX_EXPONENT)] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if not all(0 <= exponent <= MAX_EXPONENT for exponent in self.exponents):
            raise InvalidInputError(f"score exponents must be in [0, {MAX_EXPONENT}]: {list(self.exponents)}")
        require_bounds(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The three objectives of one model, with the standard errors of the measured two."""

    num_parameters: int
    latency_ms: float
    loss_nats: float
    latency_stderr_ms: float = 0.0
    loss_stderr_nats: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score and its standard error, which follows from the measurements' own."""

    value: float
    stderr: float


def score(student: Measures, teacher: Measures, rule: ScoreRule) -> Score:
    """W(T, f) = (1 - p/p_T)^a (1 - i/i_T)^b (1/e)^c, each of the first two factors at least zero.

    Without the clamp a student both larger and slower than the teacher would score the product of
    two negative numbers, a positive one.

    Args:
        student: The candidate f.
        teacher: The maximum point T; its `loss_nats` is its own entropy.
        rule: Formula and exponents.

    Returns:
        The score, and its standard error to first order, with parameters and teacher exact and the
        student's latency and loss independent.

    Source:
        arXiv 2010.08512 as transcribed by QOSE, equation (1). The paper has no exponents and no floor.
    """
    size, speed, loss = _factors(student, teacher, rule)
    a, b, c = rule.exponents
    value = size**a * speed**b * loss**-c
    slope = sensitivity(student, teacher, rule)
    errors = slope.per_ms * student.latency_stderr_ms, slope.per_nat * student.loss_stderr_nats
    return Score(value=value, stderr=math.hypot(*errors) if value else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What a score changes by for each unit of what was measured; never above zero."""

    per_ms: float
    per_nat: float


def sensitivity(student: Measures, teacher: Measures, rule: ScoreRule) -> Sensitivity:
    """The derivatives of `score` by latency and loss. At its clamps it has none: there they are those just beside."""
    size, speed, loss = _factors(student, teacher, rule)
    a, b, c = rule.exponents
    value = size**a * speed**b * loss**-c
    return Sensitivity(
        per_ms=-value * b / (speed * teacher.latency_ms) if speed else 0.0,
        per_nat=-value * c / loss,
    )


def sequence_scores(
    student: Measures, teacher: Measures, rule: ScoreRule, sequence_losses_nats: Sequence[float]
) -> tuple[float, ...]:
    """What each held-out sequence says of the score, so that scores can be compared in pairs as losses are.

    The score is taken as a straight line in the loss where the student stands: d(score)/d(loss) = -c score / loss. So
    the mean over sequences is the score itself.

    Args:
        student: The candidate.
        teacher: The maximum point.
        rule: Formula and exponents.
        sequence_losses_nats: The candidate's, whose mean is its loss.
    """
    value, slope = score(student, teacher, rule).value, sensitivity(student, teacher, rule).per_nat
    return tuple(value + slope * (loss - student.loss_nats) for loss in sequence_losses_nats)


def loss_for_score(student: Measures, teacher: Measures, rule: ScoreRule, value: float) -> float:
    """The largest loss at which a student scores at least `value`; its own loss does not matter.

    Infinite if every loss does, minus infinity if none does.
    """
    at_one = replace(student, loss_nats=1.0 + (teacher.loss_nats if rule.formula == "excess" else 0.0))
    factor, exponent = score(at_one, teacher, rule).value, rule.exponents[2]
    if value <= 0 or (exponent == 0 and factor >= value):
        return math.inf
    if factor == 0 or exponent == 0:
        return -math.inf
    return at_one.loss_nats - 1.0 + float((factor / value) ** (1 / exponent))


def _factors(student: Measures, teacher: Measures, rule: ScoreRule) -> tuple[float, float, float]:
    """What is left of size and of time, as shares, and the loss, in nats."""
    size = max(0.0, 1 - student.num_parameters / teacher.num_parameters)
    speed = max(0.0, 1 - student.latency_ms / teacher.latency_ms)
    entropy = teacher.loss_nats if rule.formula == "excess" else 0.0
    return size, speed, max(student.loss_nats - entropy, LOSS_FLOOR_NATS)
