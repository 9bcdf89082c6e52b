"""Heads as transformers draws them, and heads that know something."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.untrained_head import untrained_head

RNG = np.random.default_rng(0)


def fresh_answers(num_labels: int, seed: int) -> np.ndarray:
    """A new model's, to texts of random words: what a class loads whose head is not in the file."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=500, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        num_labels=num_labels,
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        logits = model(torch.randint(500, (64, 16))).logits.double().numpy()
    return logits[:, 0] if num_labels == 1 else logits


@pytest.mark.parametrize(
    ("kind", "num_labels"), [("single_label", 2), ("single_label", 20), ("multi_label", 5), ("one_logit", 1)]
)
def test_a_new_head_is_recognised(kind: Kind, num_labels: int) -> None:
    for seed in range(5):
        reason = untrained_head(kind, fresh_answers(num_labels, seed))
        assert reason is not None
        assert ("its logit varies by 0.0" if kind == "one_logit" else "no surer than a random head's") in reason


@pytest.mark.parametrize(
    ("kind", "scores"),
    [
        ("single_label", np.eye(3)[RNG.integers(3, size=200)] * 3),
        ("multi_label", np.where(RNG.random((200, 5)) < 0.1, 2.0, -2.0)),
        ("one_logit", RNG.normal(size=200) * 0.3),
        ("one_logit", RNG.normal(size=(200, 1)) * 5),
    ],
)
def test_a_head_that_knows_something_is_not(kind: Kind, scores: np.ndarray) -> None:
    assert untrained_head(kind, scores) is None


def test_a_sure_head_with_one_answer_is_named() -> None:
    sure = np.tile([5.0, 0.0], (50, 1))
    assert untrained_head("single_label", sure, ("safe", "unsafe")) == (
        "it answers 'safe' to all 50 items, alike as those of a head that was never trained are"
    )
    assert str(untrained_head("multi_label", -sure - 5)).startswith("it answers no label to all 50 items")
    assert str(untrained_head("multi_label", sure - 2)).startswith("it answers label 0 to all 50 items")


def test_the_entropy_that_is_told_is_that_of_the_answers() -> None:
    even = np.array([[0.0, 0.0], [0.1, 0.0]])
    assert "(mean entropy 99.9% of the most there can be)" in str(untrained_head("single_label", even))


def test_one_item_says_nothing() -> None:
    assert untrained_head("single_label", np.zeros((1, 2))) is None
    assert untrained_head("one_logit", np.zeros(1)) is None
