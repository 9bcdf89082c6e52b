"""Standard errors, held against what other samples really do."""

from __future__ import annotations

import numpy as np
import pytest

from ose.core.measurement import Metric, metric_of
from ose.tasks.text_classification.resampling import Floats, bootstrap_metrics, mean_metric

RNG = np.random.default_rng(0)


def mean_of(values: Floats) -> dict[str, Metric]:
    return bootstrap_metrics(lambda w: {"mean": (w @ values) / w.sum(axis=1)}, len(values))


def test_the_error_of_a_mean_is_the_houses_own() -> None:
    values = RNG.normal(size=50)
    expected = metric_of(values.tolist())
    assert mean_metric(values).value == pytest.approx(expected.value)
    assert mean_metric(values).stderr == pytest.approx(expected.stderr)


def test_a_resampled_mean_has_the_error_of_a_mean() -> None:
    values = RNG.normal(size=2_000)
    assert mean_of(values)["mean"].value == pytest.approx(values.mean())
    assert mean_of(values)["mean"].stderr == pytest.approx(mean_metric(values).stderr, rel=0.08)


def test_items_of_one_group_are_one_unit() -> None:
    values = RNG.normal(size=60)
    thrice, groups = np.repeat(values, 3), np.repeat([f"sentence {n:02}" for n in range(60)], 3)
    assert mean_metric(thrice, groups).stderr == pytest.approx(mean_metric(values).stderr)
    grouped = bootstrap_metrics(lambda w: {"mean": (w @ thrice) / w.sum(axis=1)}, 180, groups)
    assert grouped["mean"].stderr == pytest.approx(mean_of(values)["mean"].stderr)
    assert mean_metric(thrice).stderr == pytest.approx(mean_metric(values).stderr / 3**0.5, rel=0.02)


def test_groups_of_unequal_size_have_the_error_that_other_groups_would_make() -> None:
    """A group's items share a common part, and large groups count more."""

    def drawn() -> Metric:
        sizes = RNG.integers(1, 12, size=80)
        values = np.repeat(RNG.normal(size=80), sizes) + 0.3 * RNG.normal(size=sizes.sum())
        return mean_metric(values, np.repeat(np.arange(80), sizes))

    found = [drawn() for _ in range(400)]
    assert np.mean([each.stderr for each in found if each.stderr]) == pytest.approx(
        np.std([each.value for each in found]), rel=0.1
    )


def test_the_same_seed_gives_the_same_errors() -> None:
    values = RNG.normal(size=30)

    def error(seed: int) -> float | None:
        return bootstrap_metrics(lambda w: {"sum": w @ values}, 30, seed=seed)["sum"].stderr

    assert error(0) == error(0) != error(1)


def test_blocks_of_resamples_count_every_item_as_often_as_one_block() -> None:
    """A block has about a million weights: a hundred resamples of ten thousand items."""
    sizes: list[tuple[int, ...]] = []

    def statistics(weights: Floats) -> dict[str, Floats]:
        sizes.append(weights.shape)
        return {"items": weights.sum(axis=1)}

    found = bootstrap_metrics(statistics, 10_000)
    assert found["items"] == Metric(value=10_000, stderr=0.0)
    assert sum(rows for rows, _ in sizes) == 501 and max(rows for rows, _ in sizes) == 104


def test_a_single_unit_has_no_known_error() -> None:
    values = np.array([1.0, 2.0])
    assert mean_metric(values[:1]) == Metric(value=1.0, stderr=None)
    assert mean_metric(values, np.array(["one", "one"])) == Metric(value=1.5, stderr=None)
    assert bootstrap_metrics(lambda w: {"sum": w @ values}, 2, np.array([7, 7]))["sum"] == Metric(value=3, stderr=None)
