"""The W-coefficient: parameters, latency and loss in one number, higher is better."""

from __future__ import annotations

import math
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
    """The three objectives of one model, with the standard errors of the measured two.

    Attributes:
        divergence_stderr_nats: Standard error of the loss less the teacher's entropy on the same sequences, which is
            what `excess` takes. None where the entropies were not stored: the loss's own, an upper bound, is taken.
    """

    num_parameters: int
    latency_ms: float
    loss_nats: float
    latency_stderr_ms: float = 0.0
    loss_stderr_nats: float = 0.0
    divergence_stderr_nats: float | None = None


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
        The score, and its standard error, with parameters and teacher exact and the student's latency and loss
        independent: to first order in the loss, for the latency see `latency_error`.

    Source:
        arXiv 2010.08512 as transcribed by QOSE, equation (1). The paper has no exponents and no floor.
    """
    value = _value(student, teacher, rule)
    of_loss = score_per_nat(student, teacher, rule) * _loss_error(student, rule) if value else 0.0
    return Score(value=value, stderr=math.hypot(of_loss, latency_error(student, teacher, rule)))


def score_per_nat(student: Measures, teacher: Measures, rule: ScoreRule) -> float:
    """How much of a score a nat of loss takes: -d(score)/d(loss). At the floor it is what it is just above."""
    return _value(student, teacher, rule) * rule.exponents[2] / _factors(student, teacher, rule)[2]


def latency_error(student: Measures, teacher: Measures, rule: ScoreRule) -> float:
    """How much a standard error of the latency moves a score: half of what lies between one less and one more.

    A tangent has no slope at the clamp of W, and near it one without bound if the latency's exponent is below one.
    """
    stderr = student.latency_stderr_ms
    if math.isnan(stderr):
        return math.nan
    faster, slower = (
        _value(replace(student, latency_ms=student.latency_ms + change), teacher, rule) for change in (-stderr, stderr)
    )
    return (faster - slower) / 2


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


def _loss_error(student: Measures, rule: ScoreRule) -> float:
    known = student.divergence_stderr_nats if rule.formula == "excess" else None
    return student.loss_stderr_nats if known is None else known


def _value(student: Measures, teacher: Measures, rule: ScoreRule) -> float:
    size, speed, loss = _factors(student, teacher, rule)
    a, b, c = rule.exponents
    return float(size**a * speed**b * loss**-c)


def _factors(student: Measures, teacher: Measures, rule: ScoreRule) -> tuple[float, float, float]:
    """What is left of size and of time, as shares, and the loss, in nats."""
    size = max(0.0, 1 - student.num_parameters / teacher.num_parameters)
    speed = max(0.0, 1 - student.latency_ms / teacher.latency_ms)
    entropy = teacher.loss_nats if rule.formula == "excess" else 0.0
    return size, speed, max(student.loss_nats - entropy, LOSS_FLOOR_NATS)
