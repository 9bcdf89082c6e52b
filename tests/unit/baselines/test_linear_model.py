from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from ose.baselines.linear_model import fit, pair_features

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(400, 5))
DISTRIBUTION = log_softmax(FEATURES[:, :3] + 0.5 * RNG.normal(size=(400, 3)), axis=-1)


def _sure(choices: np.ndarray, num_choices: int) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log((choices[:, None] == np.arange(num_choices)).astype(float))[:, None]


@pytest.mark.parametrize("num_labels", [2, 3])
def test_sure_answers_are_learnt_as_scikit_learn_learns_labels(num_labels: int) -> None:
    labels = FEATURES[:, :num_labels].argmax(axis=1)
    found = fit(FEATURES, _sure(labels, num_labels), 1.0).answers(FEATURES)
    expected = LogisticRegression(C=1.0, max_iter=1000).fit(FEATURES, labels).predict_log_proba(FEATURES)
    assert found.shape == (400, 1, num_labels)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-6)


def test_a_distribution_is_learnt_and_not_its_first_choice() -> None:
    found = fit(FEATURES, DISTRIBUTION[:, None], 100.0).answers(FEATURES)[:, 0]
    first = fit(FEATURES, _sure(DISTRIBUTION.argmax(axis=1), 3), 100.0).answers(FEATURES)[:, 0]
    error, error_of_first = (abs(np.exp(each) - np.exp(DISTRIBUTION)).mean() for each in (found, first))
    assert error < 0.1
    assert error_of_first > 1.5 * error


def test_several_questions_are_learnt_one_by_one() -> None:
    yes = np.stack([FEATURES[:, 0] > 0, FEATURES[:, 1] > 0], axis=1)
    answers = np.log(np.clip(np.stack([yes, ~yes], axis=-1).astype(float), 1e-9, None))
    found = fit(FEATURES, answers, 10.0).answers(FEATURES)
    assert found.shape == (400, 2, 2)
    assert ((found[..., 0] > found[..., 1]) == yes).mean() > 0.95


def test_numbers_are_learnt_from_sparse_features_too() -> None:
    numbers = (FEATURES @ np.arange(5))[:, None]
    for features in (FEATURES, csr_array(FEATURES)):
        np.testing.assert_allclose(fit(features, numbers, 1e6).answers(features), numbers, atol=0.01)


@pytest.mark.parametrize("seen", [[0], [0, 2], [1, 2]])
def test_a_label_without_an_example_is_never_said(seen: list[int]) -> None:
    labels = np.array(seen)[np.arange(400) % len(seen)]
    found = fit(FEATURES, _sure(labels, 3), 1.0).answers(FEATURES)[:, 0]
    assert np.isfinite(found).all()
    assert set(found.argmax(axis=1)) <= set(seen)


def test_two_texts_are_compared_alike_whether_features_are_sparse_or_not() -> None:
    first, second = FEATURES[:10], FEATURES[10:20]
    dense = pair_features(first, second)
    np.testing.assert_allclose(pair_features(csr_array(first), csr_array(second)).toarray(), dense)
    np.testing.assert_allclose(pair_features(second, first), dense)
    assert dense.shape == (10, 10)


def test_parameters_are_counted() -> None:
    assert fit(FEATURES, DISTRIBUTION[:, None], 1.0).num_parameters == 5 * 3 + 3
