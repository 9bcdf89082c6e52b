import math
import statistics

import pytest
import torch

from ose.tasks.fill_mask.evaluate import masked_lm_quality

VOCAB_SIZE = 11
POSITIONS = torch.tensor([[1, 3], [2, 4], [0, 5], [1, 2], [3, 4]])
INPUT_IDS = torch.randint(VOCAB_SIZE, (5, 6), generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(VOCAB_SIZE, (5, 2), generator=torch.Generator().manual_seed(1))
TABLE = torch.randn(VOCAB_SIZE, VOCAB_SIZE, generator=torch.Generator().manual_seed(2))


def by_token(input_ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """A model that looks at the token shown, and at nothing else."""
    return TABLE[input_ids.gather(1, positions)]


def test_loss_and_errors_by_hand() -> None:
    probabilities = torch.softmax(by_token(INPUT_IDS, POSITIONS).double(), -1)
    rows = [[-math.log(probabilities[row, k, LABELS[row, k]]) for k in range(2)] for row in range(5)]
    per_sequence = [sum(row) / 2 for row in rows]
    quality = masked_lm_quality(by_token, INPUT_IDS, POSITIONS, LABELS)
    assert quality.loss_nats == pytest.approx(statistics.mean(per_sequence), rel=1e-5)
    assert quality.loss_stderr_nats == pytest.approx(statistics.stdev(per_sequence) / math.sqrt(5), rel=1e-5)
    assert quality.num_targets == 10


def test_accuracy_counts_the_first_rank() -> None:
    labels = by_token(INPUT_IDS, POSITIONS).argmax(-1)
    labels[0, 0] = (labels[0, 0] + 1) % VOCAB_SIZE
    quality = masked_lm_quality(by_token, INPUT_IDS, POSITIONS, labels)
    assert quality.accuracy == pytest.approx(0.9)
    assert quality.accuracy_stderr == pytest.approx(statistics.stdev([0.5, 1, 1, 1, 1]) / math.sqrt(5))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_the_batch_size_changes_nothing(batch_size: int) -> None:
    whole = masked_lm_quality(by_token, INPUT_IDS, POSITIONS, LABELS, batch_size=5)
    parts = masked_lm_quality(by_token, INPUT_IDS, POSITIONS, LABELS, batch_size=batch_size)
    assert parts.loss_nats == pytest.approx(whole.loss_nats, rel=1e-6)
    assert parts.accuracy == whole.accuracy


def test_half_precision_logits_are_scored_in_single_precision() -> None:
    def half(input_ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return (by_token(input_ids, positions) + 60).bfloat16()  # one step there is 0.25 nats

    exact = masked_lm_quality(lambda i, p: half(i, p).float(), INPUT_IDS, POSITIONS, LABELS)
    assert masked_lm_quality(half, INPUT_IDS, POSITIONS, LABELS).loss_nats == exact.loss_nats
