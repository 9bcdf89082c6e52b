import argparse
from pathlib import Path

import pytest
import torch

from ose.core.recipe import MAX_MASK_FRACTION
from ose.data.docstrings import docstrings_of
from ose.data.tokenizer import train_tokenizer
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule, draw_masks

MASK, SPECIAL, VOCAB_SIZE = 4, (0, 1, 2, 3, 4), 1000
RULE = MaskingRule(mask_token_id=MASK, special_token_ids=SPECIAL, vocab_size=VOCAB_SIZE)


def sequences(num_sequences: int, length: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(SPECIAL), VOCAB_SIZE, (num_sequences, length), generator=generator)
    rows[:, 0], rows[:, -1], rows[:, length // 2] = 0, 2, 2
    return rows


def draw(rows: torch.Tensor, rule: MaskingRule = RULE, seed: int = 0) -> MaskedBatch:
    return draw_masks(rows, rule, torch.Generator().manual_seed(seed))


def test_labels_are_the_tokens_that_stood_there_and_nothing_else_changes() -> None:
    rows = sequences(20, 64)
    batch = draw(rows)
    assert torch.equal(batch.labels, rows.gather(1, batch.positions))
    assert torch.equal(batch.input_ids.scatter(1, batch.positions, batch.labels), rows)


@pytest.mark.parametrize(("length", "fraction", "count"), [(128, 0.15, 19), (64, 0.2, 13), (8, 0.01, 1)])
def test_each_sequence_has_the_same_number_of_distinct_targets(length: int, fraction: float, count: int) -> None:
    rule = MaskingRule(mask_token_id=MASK, special_token_ids=SPECIAL, vocab_size=VOCAB_SIZE, fraction=fraction)
    positions = draw(sequences(10, length), rule).positions
    assert positions.shape == (10, count)
    assert (positions.diff(dim=1) > 0).all()


@pytest.mark.parametrize("length", range(8, 40))
def test_special_tokens_are_never_targets_even_in_the_poorest_packed_sequence(length: int) -> None:
    rule = MaskingRule(mask_token_id=MASK, special_token_ids=SPECIAL, vocab_size=VOCAB_SIZE, fraction=MAX_MASK_FRACTION)
    rows = sequences(50, length)
    rows[:, 1 : 1 + (length - 2) // 2] = 2  # as many separators as packing lets through
    rows[:, (length - 2) // 2 + 1 : -1] = 7
    assert not torch.isin(draw(rows, rule).labels, torch.tensor(SPECIAL)).any()


def test_targets_are_masked_replaced_and_kept_as_80_10_10() -> None:
    batch = draw(sequences(4000, 64))
    shown = batch.input_ids.gather(1, batch.positions)
    masked = (shown == MASK).double().mean().item()
    kept = (shown == batch.labels).double().mean().item()
    deviation = (0.1 * 0.9 / shown.numel()) ** 0.5
    assert masked == pytest.approx(0.8, abs=6 * deviation)
    assert kept == pytest.approx(0.1, abs=6 * deviation)
    assert 1 - masked - kept == pytest.approx(0.1, abs=6 * deviation)


def test_random_replacements_come_from_the_whole_vocabulary() -> None:
    rule = MaskingRule(mask_token_id=MASK, special_token_ids=SPECIAL, vocab_size=20, replaced=0.0, random=1.0)
    rows = torch.full((200, 16), 7)
    batch = draw(rows, rule)
    assert set(batch.input_ids.gather(1, batch.positions).unique().tolist()) == set(range(20))


def test_every_ordinary_position_is_as_likely_as_any_other() -> None:
    rows = sequences(8000, 16)
    hits = torch.bincount(draw(rows).positions.flatten(), minlength=16).double() / len(rows)
    assert hits[[0, 8, 15]].tolist() == [0, 0, 0]
    ordinary = [p for p in range(16) if p not in (0, 8, 15)]
    assert hits[ordinary].tolist() == pytest.approx([2 / 13] * 13, abs=6 * (2 / 13 / 8000) ** 0.5)


def test_a_heavier_token_is_drawn_as_much_more_often() -> None:
    weights = torch.ones(VOCAB_SIZE)
    weights[7], weights[0] = 0.25, 1000.0  # a special token stays out, however heavy
    rule = MaskingRule(
        mask_token_id=MASK, special_token_ids=SPECIAL, vocab_size=VOCAB_SIZE, fraction=0.01, token_weights=weights
    )
    rows = torch.tensor([[0, 7, 8, 9, 7, 2]]).repeat(20_000, 1)
    shares = torch.bincount(draw(rows, rule).positions.flatten(), minlength=6).double() / len(rows)
    expected = [0, 0.25 / 2.5, 1 / 2.5, 1 / 2.5, 0.25 / 2.5, 0]
    assert shares.tolist() == pytest.approx(expected, abs=6 * (0.4 * 0.6 / len(rows)) ** 0.5)


def test_weighted_targets_are_distinct_and_ordinary_even_if_all_are_needed() -> None:
    weights = torch.logspace(-30, 0, VOCAB_SIZE)
    rule = MaskingRule(
        mask_token_id=MASK, special_token_ids=SPECIAL, vocab_size=VOCAB_SIZE, fraction=0.4, token_weights=weights
    )
    rows = sequences(200, 10)
    rows[:, 1:4] = 3
    positions = draw(rows, rule).positions
    assert positions.shape == (200, 4)
    assert (positions.diff(dim=1) > 0).all()
    assert not torch.isin(rows.gather(1, positions), torch.tensor(SPECIAL)).any()


def test_even_weights_are_no_weights() -> None:
    rows = sequences(2000, 16)
    even = MaskingRule(
        mask_token_id=MASK, special_token_ids=SPECIAL, vocab_size=VOCAB_SIZE, token_weights=torch.ones(VOCAB_SIZE)
    )
    assert torch.equal(draw(rows, even).positions, draw(rows).positions)


def test_the_generators_seed_alone_decides_the_draw() -> None:
    rows = sequences(5, 64)
    torch.manual_seed(1)
    first = draw(rows, seed=3)
    torch.manual_seed(2)
    second, other = draw(rows, seed=3), draw(rows, seed=4)
    assert torch.equal(first.positions, second.positions)
    assert torch.equal(first.input_ids, second.input_ids)
    assert not torch.equal(first.positions, other.positions)


def test_the_rule_of_a_tokenizer_knows_its_special_tokens() -> None:
    tokenizer = train_tokenizer(docstrings_of(Path(argparse.__file__)), vocab_size=400, sequence_length=32)
    rule = MaskingRule.for_tokenizer(tokenizer, fraction=0.3)
    assert rule == MaskingRule(mask_token_id=4, special_token_ids=SPECIAL, vocab_size=400, fraction=0.3)
