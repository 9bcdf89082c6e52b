from __future__ import annotations

from typing import Any

import pytest
from scipy.stats import beta

from ose.core.gate import PairedLoss, loss_in, lower_share, upper_share, verdict_of, verdict_on
from ose.core.measurement import Metric
from ose.core.model_report import EvaluationReport, LabelReport, ModelReport


def loss(num_items: int, lost: int = 0, gained: int = 0, reference: float = 1.0) -> PairedLoss:
    """Of right and wrong answers."""
    share, differ = (lost - gained) / num_items, (lost + gained) / num_items
    stderr = ((differ - share**2) / num_items) ** 0.5
    return PairedLoss(
        metric="accuracy",
        reference=reference,
        loss=share,
        stderr=stderr,
        num_items=num_items,
        lost=lost,
        gained=gained,
    )


@pytest.mark.parametrize("hits, count", [(0, 7), (1, 50), (3, 100), (9, 2_000), (50, 50)])
def test_ends_are_those_of_clopper_and_pearson(hits: int, count: int) -> None:
    upper = 1.0 if hits == count else beta.ppf(0.95, hits + 1, count - hits)
    lower = 0.0 if hits == 0 else beta.ppf(0.05, hits, count - hits + 1)
    assert upper_share(hits, count) == pytest.approx(upper)
    assert lower_share(hits, count) == pytest.approx(lower)


@pytest.mark.parametrize("num_items, outcome", [(50, "not decided"), (299, "not decided"), (300, "passed")])
def test_without_a_flip_300_items_are_the_least(num_items: int, outcome: str) -> None:
    verdict = verdict_on(loss(num_items))
    assert verdict.outcome == outcome
    assert verdict.upper == pytest.approx(3 / num_items)


@pytest.mark.parametrize("gained", [0, 1, 5, 20, 40])
def test_50_items_never_pass_also_where_int8_is_better(gained: int) -> None:
    assert verdict_on(loss(50, gained=gained)).outcome == "not decided"


def test_the_gate_is_a_share_of_what_float32_reaches() -> None:
    assert verdict_on(loss(300, reference=0.9)).outcome == "not decided"
    assert verdict_on(loss(334, reference=0.9)).outcome == "passed"
    assert verdict_on(loss(300, reference=0.9), gate=0.02).outcome == "passed"


def test_few_that_differ_are_bounded_exactly_and_their_gains_not_counted() -> None:
    verdict = verdict_on(loss(2_000, lost=4, gained=5))
    assert verdict.upper == pytest.approx(beta.ppf(0.95, 5, 1_996))


def test_many_that_differ_are_bounded_by_their_pairs() -> None:
    verdict = verdict_on(loss(2_000, lost=20, gained=20))
    assert verdict.upper == pytest.approx(1.645 * 40**0.5 / 2_000, rel=1e-3)
    assert verdict.outcome == "passed"


def test_what_surely_loses_more_fails_and_float32_is_kept() -> None:
    verdict = verdict_on(loss(1_000, lost=60, gained=10), num_flipped=70)
    assert verdict.outcome == "failed" and verdict.lower > verdict.allowed_loss
    assert "the gate failed: accuracy 100.0% in float32, 5.0% lost" in str(verdict)
    assert "70 of 1,000 flipped; float32 is kept" in str(verdict)


def test_few_items_can_fail_but_say_how_many_would_decide() -> None:
    assert verdict_on(loss(50, lost=9)).outcome == "failed"
    verdict = verdict_on(loss(50), num_flipped=0)
    assert verdict.items_needed == 300
    assert str(verdict).startswith(
        "the gate is not decided: accuracy 100.0% in float32, 0.0% lost, at most 6.0% (95 %)"
    )
    assert str(verdict).endswith("float32 is kept: there are 50 items, about 300 items would decide")


def test_so_many_items_as_are_named_do_decide() -> None:
    undecided = loss(400, lost=3, gained=1, reference=0.93)
    needed = verdict_on(undecided).items_needed
    assert needed is not None and needed > 400
    assert verdict_on(undecided.of_items(needed)).outcome != "not decided"
    assert verdict_on(undecided.of_items(needed - max(needed // 50, 2))).outcome == "not decided"


def test_a_metric_that_counts_no_items_is_bounded_by_its_error_and_the_number_of_items() -> None:
    of = {"metric": "spearman", "reference": 0.8}
    assert verdict_on(PairedLoss(**of, loss=0.001, stderr=0.002, num_items=1_000)).outcome == "passed"
    assert verdict_on(PairedLoss(**of, loss=0.001, stderr=0.02, num_items=1_000)).outcome == "not decided"
    assert verdict_on(PairedLoss(**of, loss=0.1, stderr=0.02, num_items=1_000)).outcome == "failed"
    assert verdict_on(PairedLoss(**of, loss=0.0, stderr=0.0, num_items=50)).outcome == "not decided"


def report(first: dict[str, Metric], second: dict[str, Metric], num_items: int, **told: Any) -> EvaluationReport:
    label = LabelReport(label="yes", num_items=3, recall=Metric(value=0.5, stderr=None), precision=None)
    models = (
        ModelReport(model="float32", metrics=first, differences={}, labels=(label,)),
        ModelReport(model="int8", metrics=second, labels=(label,), **told),
    )
    return EvaluationReport(
        task="t", num_items=num_items, sequence_length=8, share_cut=0.0, labels_without_example=(), models=models
    )


def figure(value: float, stderr: float | None = None) -> Metric:
    return Metric(value=value, stderr=stderr)


def test_with_labels_the_loss_is_of_the_first_metric() -> None:
    found, flipped = loss_in(
        report(
            {"accuracy": figure(0.9), "agreement": figure(1.0)},
            {"accuracy": figure(0.88), "agreement": figure(0.95)},
            100,
            differences={"accuracy": figure(-0.02, 0.01)},
            lost=3,
            gained=1,
        )
    )
    assert (found.metric, found.reference, found.loss, found.stderr) == ("accuracy", 0.9, 0.02, 0.01)
    assert (found.lost, found.gained, flipped) == (3, 1, 5)


def test_of_a_loss_more_is_worse() -> None:
    told = {"differences": {"masked_lm_loss_nats": figure(0.3, 0.01)}}
    found, _ = loss_in(report({"masked_lm_loss_nats": figure(2.0)}, {"masked_lm_loss_nats": figure(2.3)}, 500, **told))
    assert (found.reference, found.loss) == (2.0, 0.3)


def test_without_labels_flips_stand_for_the_loss() -> None:
    told = report({"agreement": figure(1.0)}, {"agreement": figure(0.99, 0.005)}, 400, differences={})
    verdict = verdict_of(told, 0.01)
    assert (verdict.loss.reference, verdict.loss.lost, verdict.num_flipped) == (1.0, 4, 4)
    assert verdict.recalls == {"yes": (0.5, 0.5)}
    assert verdict.outcome == "not decided"
