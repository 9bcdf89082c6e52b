from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from ose.tasks.fill_mask.ngrams import ngram_losses

VOCAB_SIZE = 7
TRAIN = np.random.default_rng(0).integers(0, VOCAB_SIZE - 2, (12, 9)).astype(np.uint16)  # tokens 5 and 6 are unseen
HELD_OUT = np.random.default_rng(1).integers(0, VOCAB_SIZE, (8, 9)).astype(np.uint16)
POSITIONS = np.sort(np.random.default_rng(2).permuted(np.tile(np.arange(1, 9), (8, 1)), axis=1)[:, :3], axis=1)


def unigram(token: int) -> float:
    tokens = TRAIN.ravel().tolist()
    return (tokens.count(token) + 1) / (len(tokens) + VOCAB_SIZE)


def bigram(context: int, token: int) -> float:
    """Absolute discounting, read off the counts one pair at a time."""
    pairs = Counter(pair for row in TRAIN.tolist() for pair in pairwise(row))
    followers = {pair: count for pair, count in pairs.items() if pair[0] == context}
    total = sum(followers.values())
    if total == 0:
        return unigram(token)
    seen = max(followers.get((context, token), 0) - 0.75, 0.0)
    return (seen + 0.75 * len(followers) * unigram(token)) / total


def test_losses_are_those_of_counting_by_hand() -> None:
    wanted = [(row[p - 1], row[p]) for row, places in zip(HELD_OUT.tolist(), POSITIONS, strict=True) for p in places]
    losses = ngram_losses(TRAIN, HELD_OUT, POSITIONS, VOCAB_SIZE)
    assert losses.unigram_nats == pytest.approx(-np.mean([np.log(unigram(token)) for _, token in wanted]))
    assert losses.bigram_nats == pytest.approx(-np.mean([np.log(bigram(*pair)) for pair in wanted]))


@pytest.mark.parametrize("context", range(VOCAB_SIZE))
def test_probabilities_of_all_next_tokens_sum_to_one(context: int) -> None:
    one = np.array([[1]])
    each = [ngram_losses(TRAIN, np.array([[context, token]]), one, VOCAB_SIZE) for token in range(VOCAB_SIZE)]
    assert sum(np.exp(-losses.unigram_nats) for losses in each) == pytest.approx(1)
    assert sum(np.exp(-losses.bigram_nats) for losses in each) == pytest.approx(1)


def test_a_language_of_pairs_is_plain_to_bigrams_alone() -> None:
    text = np.tile(np.arange(4), (50, 5))
    losses = ngram_losses(text, text[:2], np.array([[1, 5, 9]] * 2), vocab_size=4)
    assert losses.unigram_nats == pytest.approx(np.log(4), abs=0.01)
    assert losses.bigram_nats < 0.1


def test_pairs_beyond_the_bound_are_not_counted() -> None:
    text = np.tile(np.arange(4), (50, 5))
    without = ngram_losses(text, text[:2], np.array([[2, 6]] * 2), vocab_size=4, max_bigrams=1)
    assert without.bigram_nats == pytest.approx(without.unigram_nats)
