"""Held against scikit-learn and against loops over queries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from ose.core.measurement import Metric, metric_of
from ose.tasks.text_classification.ranking_metrics import (
    num_queries_without_relevant,
    ranking_metrics,
    top_agreement,
)


def one_query(scores: list[float], labels: list[float], k: int = 10) -> dict[str, float]:
    found = ranking_metrics(np.array(scores), np.array(labels, dtype=float), np.zeros(len(scores)), k)
    return {name: metric.value for name, metric in found.items()}


def by_loops(scores: np.ndarray, labels: np.ndarray, k: int) -> tuple[float, float, float] | None:
    """One query's figures, after scikit-learn and the definitions."""
    if not labels.any():
        return None
    order = sorted(range(len(scores)), key=lambda n: (-scores[n], labels[n]))[:k]
    ranks = [place for place, n in enumerate(order, 1) if labels[n] > 0]
    ndcg = ndcg_score([labels], [scores], k=k) if len(scores) > 1 else 1.0
    return float(ndcg), 1 / ranks[0] if ranks else 0.0, len(ranks) / int((labels > 0).sum())


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 12), st.sampled_from([1, 3, 10]))
def test_values_are_those_of_each_query_by_itself(seed: int, num_queries: int, num_values: int, k: int) -> None:
    """With few values there are many ties; labels have grades; some queries have one answer, or nothing relevant."""
    rng = np.random.default_rng(seed)
    query = rng.integers(num_queries, size=30)
    scores, labels = rng.integers(num_values, size=30) / 7.0, rng.choice([0.0, 0.0, 0.0, 1.0, 2.0], size=30)
    labels[0] = 1.0
    each = [by_loops(scores[query == q], labels[query == q], k) for q in np.unique(query)]
    counted = [figures for figures in each if figures is not None]
    found = ranking_metrics(scores, labels, np.array([f"query {q}" for q in query]), k)
    assert list(found) == [f"ndcg_at_{k}", f"mrr_at_{k}", f"recall_at_{k}"]
    for metric, values in zip(found.values(), zip(*counted, strict=True), strict=True):
        expected = metric_of(values)
        assert metric.value == pytest.approx(expected.value)
        assert metric.stderr == pytest.approx(expected.stderr, abs=1e-12)
    assert num_queries_without_relevant(labels, query) == len(each) - len(counted)


def test_the_first_relevant_answer_counts_for_mrr_and_those_within_k_for_recall() -> None:
    found = one_query([5, 4, 3, 2, 1], [0, 1, 0, 1, 1], k=4)
    assert (found["mrr_at_4"], found["recall_at_4"]) == (1 / 2, pytest.approx(2 / 3))
    assert one_query([5, 4, 3, 2, 1], [0, 0, 0, 0, 1], k=4) == {"ndcg_at_4": 0, "mrr_at_4": 0, "recall_at_4": 0}


def test_a_model_that_does_not_decide_earns_nothing_by_the_order_of_rows() -> None:
    assert one_query([1, 1, 1, 1], [1, 0, 0, 0], k=2)["mrr_at_2"] == 0.0
    assert one_query([1, 1, 1, 1], [1, 0, 0, 0])["mrr_at_10"] == 1 / 4
    first, last = one_query([1, 1], [1, 0]), one_query([1, 1], [0, 1])
    assert first == last and first["ndcg_at_10"] == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_queries_with_nothing_relevant_are_left_out_and_counted() -> None:
    scores, labels, query = np.arange(4.0), np.array([0.0, 1.0, 0.0, 0.0]), np.array(["a", "a", "b", "b"])
    assert ranking_metrics(scores, labels, query)["ndcg_at_10"] == Metric(value=1.0, stderr=None)
    assert num_queries_without_relevant(labels, query) == 1


def test_the_first_answer_is_the_teachers_or_not() -> None:
    query = np.array([0, 0, 1, 1, 2])
    teacher = np.array([1.0, 0.0, 0.0, 1.0, 5.0])
    assert top_agreement(np.array([2.0, 1.0, 2.0, 1.0, 0.0]), teacher, query) == Metric(value=0.5, stderr=0.5)
    assert top_agreement(np.zeros(5), teacher, query) == Metric(value=0.0, stderr=0.0)
    assert top_agreement(np.zeros(2), np.zeros(2), np.array([0, 1])) is None


def test_equals_of_the_teacher_are_all_its_first_answer() -> None:
    query = np.zeros(3)
    assert top_agreement(np.array([1.0, 2.0, 0.0]), np.array([1.0, 1.0, 0.0]), query) == Metric(value=1.0, stderr=None)
