"""Whether a quantised model is good enough: a bound on what it loses, which few items cannot make look small.

A model in int8 and the same in float32 are right and wrong on the same items mostly, so what counts is the items on
which they differ. Of those there are few, often none, and a normal interval around none has no width. So where few
differ the interval is exact (Clopper and Pearson's), and of none its upper end is 3 / n, the rule of three.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Literal

from ose.core.measurement import Metric, metric_text
from ose.core.metric_names import is_better_lower, metric_label
from ose.core.model_report import EvaluationReport

Outcome = Literal["passed", "failed", "not decided"]

USUAL_GATE = 0.01
"""Share of the float32 model's own metric that may be lost."""

_ONE_SIDED = 0.05
_Z = NormalDist().inv_cdf(1 - _ONE_SIDED)

_FEW = 10
"""Below so many items that differ, the interval is exact."""

_MOST_ITEMS = 10_000_000
"""Beyond it no number of items is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedLoss:
    """What a quantised model loses in one metric, on the same items as the model it was made of.

    Attributes:
        metric: Its name.
        reference: What the float32 model reaches.
        loss: How much worse the quantised one is; below 0 if it is better.
        stderr: Of the loss, in pairs; None where it is not known.
        num_items: Items.
        lost: Items that float32 has right and the quantised one has not; None of a metric that counts no such items.
        gained: The reverse.
    """

    metric: str
    reference: float
    loss: float
    stderr: float | None
    num_items: int
    lost: int | None = None
    gained: int | None = None

    @property
    def least_upper(self) -> float:
        """What so many items cannot exclude even if no two answers differ: the rule of three."""
        return 3 / self.num_items * (1.0 if self.lost is not None else abs(self.reference))

    def interval(self) -> tuple[float, float]:
        """The lower end of the one-sided 95 % interval of the loss, and the upper end of the other one-sided."""
        lost, gained, count = self.lost, self.gained, self.num_items
        if lost is not None and gained is not None and lost + gained < _FEW:
            # Exact bounds of both counts do not add up to one of their difference: upwards gains are left out.
            half = _ONE_SIDED / 2
            lower = lower_share(lost, count, half) - upper_share(gained, count, half)
            return lower, max(upper_share(lost, count), self.least_upper)
        wide = _Z * (self.stderr or 0.0)
        return self.loss - wide, max(self.loss + wide, self.least_upper)

    def of_items(self, count: int) -> PairedLoss:
        """The same loss seen on another number of items."""
        times = count / self.num_items
        return replace(
            self,
            num_items=count,
            stderr=None if self.stderr is None else self.stderr / math.sqrt(times),
            lost=None if self.lost is None else round(self.lost * times),
            gained=None if self.gained is None else round(self.gained * times),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A loss held against a gate.

    Attributes:
        gate: The share of float32's metric that may be lost.
        allowed_loss: The same in the metric's units.
        lower, upper: Ends of the one-sided 95 % intervals of the loss.
        num_flipped: Items with another answer; None where answers are numbers.
        items_needed: How many items would decide, if the loss stays as it is; None where it is decided, or where
            no number would.
        recalls: Of each label the share of its items that it is given to, in float32 and then in int8; None of a
            label that no item has.
    """

    outcome: Outcome
    gate: float
    allowed_loss: float
    loss: PairedLoss
    lower: float
    upper: float
    num_flipped: int | None = None
    items_needed: int | None = None
    recalls: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    def __str__(self) -> str:
        loss, name = self.loss, self.loss.metric
        flipped = "" if self.num_flipped is None else f", {self.num_flipped:,} of {loss.num_items:,} flipped"
        told = (
            f"the gate {self.outcome}: {metric_label(name)} {metric_text(name, loss.reference)} in float32, "
            f"{metric_text(name, loss.loss)} lost, at most {metric_text(name, self.upper)} (95 %), "
            f"{metric_text(name, self.allowed_loss)} allowed{flipped}"
        )
        return told.replace("the gate not decided", "the gate is not decided") + self._what_follows()

    def _what_follows(self) -> str:
        if self.outcome == "passed":
            return ""
        if self.outcome == "failed":
            return "; float32 is kept"
        needed = "no number of items" if self.items_needed is None else f"about {self.items_needed:,} items"
        return f"; float32 is kept: there are {self.loss.num_items:,} items, {needed} would decide"


def verdict_of(report: EvaluationReport, gate: float) -> Verdict:
    """Hold the second model of a report, in int8, against the first, which is the same in float32 and the teacher."""
    loss, num_flipped = loss_in(report)
    before, after = (
        [None if each.recall is None else each.recall.value for each in model.labels] for model in report.models
    )
    names = [each.label for each in report.models[0].labels]
    recalls = dict(zip(names, zip(before, after, strict=True), strict=True))
    return replace(verdict_on(loss, gate, num_flipped), recalls=recalls)


def verdict_on(loss: PairedLoss, gate: float = USUAL_GATE, num_flipped: int | None = None) -> Verdict:
    """Hold a loss against a gate.

    Args:
        loss: What int8 loses against float32.
        gate: The share of float32's metric that may be lost.
        num_flipped: To be told beside it.
    """
    lower, upper = loss.interval()
    outcome = _outcome(loss, gate)
    return Verdict(
        outcome=outcome,
        gate=gate,
        allowed_loss=_allowed(loss, gate),
        loss=loss,
        lower=lower,
        upper=upper,
        num_flipped=num_flipped,
        items_needed=_items_needed(loss, gate) if outcome == "not decided" else None,
    )


def loss_in(report: EvaluationReport) -> tuple[PairedLoss, int | None]:
    """What the second model of a report loses against the first, which is the teacher too, and how many answers flip.

    With labels it is of the first metric. Without them the share of answers that differ stands for it.
    """
    first, second = report.models
    name = next(iter(first.metrics))
    sign = 1 if is_better_lower(name) else -1
    flipped = _num_flipped(second.metrics, report.num_items) if "agreement" in second.metrics else None
    if name not in second.differences:
        agreement = second.metrics[name]
        counts = (None, None) if flipped is None else (flipped, 0)
        return PairedLoss(
            metric=name,
            reference=1.0,
            loss=1 - agreement.value,
            stderr=agreement.stderr,
            num_items=report.num_items,
            lost=counts[0],
            gained=counts[1],
        ), flipped
    difference = second.differences[name]
    loss = PairedLoss(
        metric=name,
        reference=first.metrics[name].value,
        loss=sign * difference.value,
        stderr=difference.stderr,
        num_items=report.num_items,
        lost=second.lost,
        gained=second.gained,
    )
    return loss, flipped


def upper_share(hits: int, count: int, risk: float = _ONE_SIDED) -> float:
    """The largest share of which so few hits in `count` are seen with this probability (Clopper and Pearson)."""
    return 1.0 if hits >= count else _where(lambda share: _at_most(hits, count, share) < risk)


def lower_share(hits: int, count: int, risk: float = _ONE_SIDED) -> float:
    """The smallest share of which so many hits in `count` are seen with this probability."""
    return 0.0 if hits == 0 else _where(lambda share: 1 - _at_most(hits - 1, count, share) > risk)


def _at_most(hits: int, count: int, share: float) -> float:
    """The probability of at most so many hits."""
    if not 0 < share < 1:
        return float(share <= 0)
    whole = math.lgamma(count + 1)
    logs = (
        whole - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * math.log(share) + (count - k) * math.log1p(-share)
        for k in range(hits + 1)
    )
    return math.fsum(map(math.exp, logs))


def _where(holds: Callable[[float], bool]) -> float:
    """The share from which on something holds."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _allowed(loss: PairedLoss, gate: float) -> float:
    return gate * abs(loss.reference)


def _outcome(loss: PairedLoss, gate: float) -> Outcome:
    lower, upper = loss.interval()
    if upper <= _allowed(loss, gate):
        return "passed"
    return "failed" if lower > _allowed(loss, gate) else "not decided"


def _items_needed(loss: PairedLoss, gate: float) -> int | None:
    """The least number of items that decides, to one in a hundred."""
    count = loss.num_items
    while _outcome(loss.of_items(count), gate) == "not decided":
        count += max(count // 100, 1)
        if count > _MOST_ITEMS:
            return None
    return count


def _value(metric: Metric | None) -> float | None:
    return None if metric is None else metric.value


def _num_flipped(metrics: Mapping[str, Metric], num_items: int) -> int:
    return round((1 - metrics["agreement"].value) * num_items)
