from typing import Any

import numpy as np
import pytest

from ose.tasks.text_classification.differences import differences, figures_of
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.metrics import Truths, metrics_of

COUNT = 300
RNG = np.random.default_rng(0)
NOISE = [RNG.normal(size=(COUNT, 3)) for _ in range(2)]
IDS = RNG.integers(3, size=COUNT)
SIGNAL = np.eye(3)[IDS]

CASES: list[tuple[Kind, Truths, Any, Any]] = [
    ("single_label", Truths(labels=IDS), 2 * SIGNAL + NOISE[0], 1.5 * SIGNAL + NOISE[1]),
    ("multi_label", Truths(labels=(SIGNAL + NOISE[0] > 0.5).astype(int)), NOISE[0], NOISE[0] + NOISE[1]),
    ("one_logit", Truths(labels=NOISE[0][:, 0]), NOISE[0][:, :1] + NOISE[1][:, :1], NOISE[0][:, :1] + NOISE[1][:, 1:2]),
    ("one_logit", Truths(labels=IDS > 1, threshold=0.5), SIGNAL[:, 2:] + NOISE[0][:, :1], NOISE[1][:, :1]),
    (
        "one_logit",
        Truths(labels=IDS.clip(max=1), query_ids=np.arange(COUNT) // 6),
        SIGNAL[:, :1] + NOISE[0][:, :1],
        NOISE[1][:, :1],
    ),
]


@pytest.mark.parametrize(("kind", "truths", "ours", "theirs"), CASES)
def test_a_difference_is_that_of_the_metrics(kind: Kind, truths: Truths, ours: Any, theirs: Any) -> None:
    found = differences(figures_of(kind, ours, truths), figures_of(kind, theirs, truths), COUNT)
    one, other = metrics_of(kind, ours, truths), metrics_of(kind, theirs, truths)
    assert found.keys() == one.keys()
    for name, each in found.items():
        assert each.value == pytest.approx(one[name].value - other[name].value, abs=1e-12), name


@pytest.mark.parametrize(("kind", "truths", "ours", "theirs"), CASES)
def test_a_model_less_itself_is_nothing_for_certain(kind: Kind, truths: Truths, ours: Any, theirs: Any) -> None:
    figures = figures_of(kind, ours, truths)
    assert {(each.value, each.stderr) for each in differences(figures, figures, COUNT).values()} == {(0.0, 0.0)}


def test_the_error_is_that_of_pairs() -> None:
    """Two models that err on the same items: their difference is known far better than either."""
    scores = 2 * SIGNAL + NOISE[0]
    other = scores + 0.05 * NOISE[1]
    truths = Truths(labels=IDS)
    found = differences(figures_of("single_label", scores, truths), figures_of("single_label", other, truths), COUNT)
    alone = metrics_of("single_label", scores, truths)
    for name in ("accuracy", "matthews", "macro_f1"):
        assert found[name].stderr < alone[name].stderr / 3, name

    rng = np.random.default_rng(7)
    right, right_too = scores.argmax(axis=1) == IDS, other.argmax(axis=1) == IDS
    drawn = rng.integers(COUNT, size=(4_000, COUNT))
    resampled = right[drawn].mean(axis=1) - right_too[drawn].mean(axis=1)
    assert found["accuracy"].stderr == pytest.approx(resampled.std(), rel=0.1)
