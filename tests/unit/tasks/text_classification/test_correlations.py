"""Held against SciPy, and errors against what other samples do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ConstantInputWarning, pearsonr, spearmanr

from ose.core.measurement import Metric
from ose.tasks.text_classification.correlations import correlations


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 60), st.integers(1, 20), st.sampled_from([1.0, 1e-6, 1e9]))
def test_values_are_scipys(seed: int, num_items: int, num_values: int, scale: float) -> None:
    """With few values there are many ties."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(num_values, size=(2, num_items)).astype(float) * scale + 3 * scale
    found = correlations(x, y)
    assert list(found) == ["spearman", "pearson"]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert (found["spearman"].value, found["pearson"].value) == (0.0, 0.0)
        return
    assert found["spearman"].value == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
    assert found["pearson"].value == pytest.approx(pearsonr(x, y).statistic, abs=1e-9)


def test_constant_scores_follow_nothing_where_scipy_has_nan() -> None:
    constant, truths = np.full(20, 0.1), np.arange(20.0)
    with pytest.warns(ConstantInputWarning):
        assert np.isnan(spearmanr(constant, truths).statistic)
    assert correlations(constant, truths)["spearman"] == Metric(value=0.0, stderr=0.0)
    assert correlations(constant, truths)["pearson"] == Metric(value=0.0, stderr=0.0)


def test_a_resample_of_one_value_counts_as_constant() -> None:
    """Two items: half of all resamples have one of them twice."""
    found = correlations(np.array([0.1, 0.7]), np.array([3.1, 4.2]))
    for metric in found.values():
        assert metric.value == pytest.approx(1.0)
        assert metric.stderr == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("digits", [6, 0])
def test_errors_are_those_that_other_samples_make(digits: int) -> None:
    """Also with many ties, which rounding to whole numbers makes."""
    rng = np.random.default_rng(0)

    def sample() -> dict[str, Metric]:
        x = rng.normal(size=200)
        return correlations(np.round(x, digits), np.round(x + rng.normal(size=200), digits))

    found = [sample() for _ in range(150)]
    for name in ("spearman", "pearson"):
        errors = [each[name].stderr for each in found]
        assert np.mean([each for each in errors if each is not None]) == pytest.approx(
            np.std([each[name].value for each in found]), rel=0.15
        )


def test_items_of_one_group_are_one_unit() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50))
    grouped = correlations(np.repeat(x, 2), np.repeat(y, 2), np.repeat(np.arange(50), 2))
    assert grouped["pearson"].stderr == pytest.approx(correlations(x, y)["pearson"].stderr)
    assert grouped["spearman"].stderr == pytest.approx(correlations(x, y)["spearman"].stderr)
