"""Each metric by hand."""

from __future__ import annotations

import math

import pytest
import torch

from ose.tasks.fill_mask.metrics import METRICS, Outputs

LOGITS = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 3.0, 1.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 5.0]]])
LABELS = torch.tensor([[0, 0], [0, 2]])
OUTPUTS = Outputs(logits=LOGITS, log_probs=LOGITS.log_softmax(-1), labels=LABELS)


def test_the_masked_lm_loss_is_that_of_the_true_tokens() -> None:
    def loss(logits: list[float], label: int) -> float:
        return math.log(sum(map(math.exp, logits))) - logits[label]

    rows = zip(LOGITS.tolist(), LABELS.tolist(), strict=True)
    expected = [sum(map(loss, logits, labels)) / 2 for logits, labels in rows]
    assert METRICS["masked_lm_loss_nats"](OUTPUTS).tolist() == pytest.approx(expected, rel=1e-6)


def test_accuracy_counts_the_first_rank() -> None:
    assert METRICS["masked_accuracy"](OUTPUTS).tolist() == [0.5, 1.0]
