"""Held against scikit-learn, and errors against what other samples do."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from ose.core.measurement import Metric
from ose.tasks.text_classification.label_metrics import (
    LabelMetric,
    label_metrics,
    macro_f1,
    macro_f1_of_all,
    matthews,
    micro_f1,
    one_hot,
)

SEEDS = st.integers(0, 2**32 - 1)


def of_ids(metric: LabelMetric, said: np.ndarray, true: np.ndarray, num_labels: int) -> Metric:
    return label_metrics({"it": metric}, one_hot(said, num_labels), one_hot(true, num_labels))["it"]


@pytest.mark.slow
@settings(deadline=None)
@given(SEEDS, st.integers(2, 9), st.integers(1, 40))
def test_one_label_is_scikit_learns(seed: int, num_labels: int, num_items: int) -> None:
    """With few items labels are missing from what is said, from what is true, or from both."""
    rng = np.random.default_rng(seed)
    said, true = rng.integers(num_labels, size=(2, num_items))
    assert of_ids(macro_f1, said, true, num_labels).value == pytest.approx(f1_score(true, said, average="macro"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a single label that is all there is
        expected = matthews_corrcoef(true, said)
    assert of_ids(matthews, said, true, num_labels).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
@settings(deadline=None)
@given(SEEDS, st.integers(2, 9), st.integers(1, 40), st.floats(0, 0.5))
def test_several_labels_are_scikit_learns(seed: int, num_labels: int, num_items: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    said, true = (rng.random((2, num_items, num_labels)) < density).astype(np.float64)
    found = label_metrics({"micro": micro_f1, "macro": macro_f1_of_all}, said, true)
    for average, metric in found.items():
        assert metric.value == pytest.approx(f1_score(true, said, average=average, zero_division=0))


@pytest.mark.parametrize(("said", "true"), [([1, 1, 1], [0, 1, 2]), ([0, 1, 2], [1, 1, 1]), ([1, 1], [1, 1])])
def test_one_class_only_has_no_correlation(said: list[int], true: list[int]) -> None:
    assert of_ids(matthews, np.array(said), np.array(true), 3).value == 0.0


@pytest.mark.parametrize("metric", [macro_f1, matthews])
def test_errors_are_those_that_other_samples_make(metric: LabelMetric) -> None:
    rng = np.random.default_rng(0)

    def sample() -> Metric:
        true = rng.choice(4, p=[0.5, 0.3, 0.15, 0.05], size=300)
        return of_ids(metric, np.where(rng.random(300) < 0.7, true, rng.integers(4, size=300)), true, 4)

    found = [sample() for _ in range(150)]
    errors = [each.stderr for each in found if each.stderr is not None]
    assert np.mean(errors) == pytest.approx(np.std([each.value for each in found]), rel=0.12)


@pytest.mark.slow
def test_errors_are_those_of_resampling_item_by_item() -> None:
    rng = np.random.default_rng(0)
    said, true = rng.integers(3, size=(2, 120))
    drawn = rng.integers(120, size=(250, 120))
    expected = np.std([f1_score(true[rows], said[rows], average="macro") for rows in drawn])
    assert of_ids(macro_f1, said, true, 3).stderr == pytest.approx(expected, rel=0.12)
