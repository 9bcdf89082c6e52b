import math

import torch

from ose.tasks.fill_mask.masking import MaskedBatch
from ose.tasks.fill_mask.unigram import unigram_check, unigram_loss

MASK = 9


def masked(tokens: list[list[int]]) -> MaskedBatch:
    """Sequences of which the token at place 1 is masked."""
    ids = torch.tensor(tokens)
    positions = torch.ones(len(ids), 1, dtype=torch.long)
    return MaskedBatch(ids.scatter(1, positions, MASK), positions, ids.gather(1, positions))


def test_it_counts_the_true_tokens_and_leaves_some_for_those_it_has_not_seen() -> None:
    train = masked([[1, 2, 2, 2], [1, 3, 3, 2]])  # 1 twice, 2 four times, 3 twice, of ten tokens
    freed = 0.75 * 3 / 10
    expected = {2: (4 - 0.75 + freed) / 8, 3: (2 - 0.75 + freed) / 8, 7: freed / 8}
    for token, prob in expected.items():
        assert math.isclose(unigram_loss(train, masked([[1, token]]), 10), -math.log(prob))
    total = sum(math.exp(-unigram_loss(train, masked([[1, token]]), 10)) for token in range(10))
    assert math.isclose(total, 1)


def test_a_teacher_passes_if_it_knows_more() -> None:
    train, held_out = masked([[1, 2, 2, 2]] * 4), masked([[1, 2], [1, 3]])
    bound = unigram_loss(train, held_out, 10)
    better, worse = (unigram_check(loss, train, held_out, 10) for loss in (bound - 0.01, bound))
    assert better.is_passed and better.told == (
        f"its loss at 2 masked tokens is {bound - 0.01:.2f} nats, where a unigram model of the text has {bound:.2f}"
    )
    assert not worse.is_passed and worse.told.endswith("it knows less of this text than how often each token occurs")
    assert (worse.name, worse.value, worse.bound) == ("masked_lm_loss_nats", bound, bound)
