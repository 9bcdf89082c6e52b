"""What each kind of head is told by, in which order, and against whom."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from ose.core.measurement import Metric, metric_of
from ose.errors import NonFiniteLossError
from ose.tasks.text_classification.metrics import Truths, metrics_of

RNG = np.random.default_rng(0)
IDS = RNG.integers(3, size=60)
SCORES = np.eye(3)[IDS] + RNG.normal(size=(60, 3))
TEACHER = SCORES + RNG.normal(size=(60, 3))


def values(metrics: dict[str, Metric]) -> dict[str, float]:
    return {name: metric.value for name, metric in metrics.items()}


def test_one_label_has_accuracy_first() -> None:
    found = metrics_of("single_label", SCORES, Truths(labels=IDS, teacher_scores=TEACHER))
    said = SCORES.argmax(axis=1)
    assert list(found) == ["accuracy", "macro_f1", "matthews", "agreement"]
    assert list(values(found).values()) == pytest.approx(
        [
            accuracy_score(IDS, said),
            f1_score(IDS, said, average="macro"),
            matthews_corrcoef(IDS, said),
            (said == TEACHER.argmax(axis=1)).mean(),
        ]
    )
    assert found["accuracy"].stderr == pytest.approx(metric_of((said == IDS).astype(float).tolist()).stderr)
    assert all(metric.stderr for metric in found.values())


def test_several_labels_have_micro_f1_first_and_accuracy_of_whole_sets() -> None:
    labels = (RNG.random((60, 3)) < 0.4).astype(int)
    found = metrics_of("multi_label", SCORES - 0.5, Truths(labels=labels, teacher_scores=TEACHER - 0.5))
    said, taught = (SCORES > 0.5).astype(int), TEACHER > 0.5
    assert list(found) == ["micro_f1", "macro_f1", "accuracy", "agreement"]
    assert list(values(found).values()) == pytest.approx(
        [
            f1_score(labels, said, average="micro"),
            f1_score(labels, said, average="macro"),
            accuracy_score(labels, said),
            (said == taught).all(axis=1).mean(),
        ]
    )


def test_one_logit_has_spearman_first() -> None:
    scores, labels = SCORES[:, 0], TEACHER[:, 1]
    assert list(metrics_of("one_logit", scores, Truths(labels=labels))) == ["spearman", "pearson"]
    assert metrics_of("one_logit", scores[:, None], Truths(labels=labels)) == metrics_of(
        "one_logit", scores, Truths(labels=labels)
    )


def test_one_logit_is_right_or_wrong_where_labels_are_0_and_1() -> None:
    labels = np.array([0, 0, 1, 1])
    scores = np.array([-2.0, 0.25, 0.75, 3.0])
    assert values(metrics_of("one_logit", scores, Truths(labels=labels)))["accuracy"] == 0.75
    assert values(metrics_of("one_logit", scores, Truths(labels=labels, threshold=0.5)))["accuracy"] == 1.0
    assert "accuracy" not in metrics_of("one_logit", scores, Truths(labels=labels / 2))


def test_answers_to_queries_are_ranked() -> None:
    query = np.repeat(np.arange(12), 5)
    truths = Truths(labels=(IDS == 0), query_ids=query, teacher_scores=TEACHER[:, 0])
    found = metrics_of("one_logit", SCORES[:, 0], truths)
    assert list(found) == [
        *("ndcg_at_10", "mrr_at_10", "recall_at_10"),
        *("agreement", "teacher_spearman", "teacher_pearson"),
    ]
    assert "ndcg_at_3" in metrics_of("one_logit", SCORES[:, 0], Truths(labels=(IDS == 0), query_ids=query, k=3))


def test_correlations_with_the_teacher_have_errors_over_queries() -> None:
    query, scores, teacher = np.repeat(np.arange(30), 2), np.repeat(SCORES[:30, 0], 2), np.repeat(TEACHER[:30, 0], 2)
    of_queries = metrics_of("one_logit", scores, Truths(teacher_scores=teacher, query_ids=query))
    of_one_each = metrics_of("one_logit", scores[::2], Truths(teacher_scores=teacher[::2]))
    assert of_queries["teacher_pearson"].stderr == pytest.approx(of_one_each["teacher_pearson"].stderr)


@pytest.mark.parametrize(
    ("kind", "scores", "headline"),
    [
        ("single_label", SCORES, "agreement"),
        ("multi_label", SCORES, "agreement"),
        ("one_logit", SCORES[:, 0], "teacher_spearman"),
    ],
)
def test_without_labels_the_teacher_is_the_truth(kind, scores, headline) -> None:  # type: ignore[no-untyped-def]
    found = metrics_of(kind, scores, Truths(teacher_scores=scores))
    assert next(iter(found)) == headline
    assert found[headline].value == pytest.approx(1.0)


def test_phrases_of_one_sentence_are_one_unit_in_every_error() -> None:
    twice = np.repeat(np.arange(60), 2)
    truths = Truths(labels=IDS, teacher_scores=TEACHER)
    grouped = Truths(labels=IDS[twice], teacher_scores=TEACHER[twice], groups=twice)
    once, again = metrics_of("single_label", SCORES, truths), metrics_of("single_label", SCORES[twice], grouped)
    for name, metric in once.items():
        assert (again[name].value, again[name].stderr) == pytest.approx((metric.value, metric.stderr))


def test_equal_scores_choose_the_lowest_id() -> None:
    assert metrics_of("single_label", np.zeros((2, 3)), Truths(labels=np.array([0, 1])))["accuracy"].value == 0.5


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_answers_that_are_no_numbers_are_a_divergence(bad: float) -> None:
    scores = SCORES.copy()
    scores[[3, 7], 1] = bad
    with pytest.raises(NonFiniteLossError, match="the answers to 2 of 60 items are not finite"):
        metrics_of("single_label", scores, Truths(labels=IDS))


def test_half_precision_is_read_exactly() -> None:
    """Ranks and sums are taken in float64, whatever a model ran in."""
    scores = np.linspace(-4, 4, 50, dtype=np.float16)
    found = metrics_of("one_logit", scores, Truths(labels=scores.astype(np.float64)))
    assert values(found) == pytest.approx({"spearman": 1.0, "pearson": 1.0}, abs=1e-12)
