from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ose.core.recipe import DistillationSpec
from ose.tasks.fill_mask.batches import masking_rule, step_batches
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule
from ose.tasks.fill_mask.teacher import load_tokenizer

RULE = MaskingRule(mask_token_id=4, special_token_ids=(0, 1, 2, 3, 4), vocab_size=1000)
SPEC = DistillationSpec(batch_size=10, micro_batch_size=4, seed=3)


def sequences(count: int, length: int, first: int = 0) -> np.ndarray:
    """Sequences that are told apart by their first ordinary token."""
    rows = np.random.default_rng(length).integers(500, 1000, (count, length)).astype(np.uint16)
    rows[:, 0], rows[:, -1], rows[:, 1] = 0, 2, np.arange(5 + first, 5 + first + count)
    return rows


GROUPS = (sequences(13, 12), sequences(6, 16, first=13), sequences(21, 32, first=19))  # 40: an epoch of four steps


def originals(batch: MaskedBatch) -> torch.Tensor:
    return batch.input_ids.scatter(1, batch.positions, batch.labels)


def seen(text: tuple[np.ndarray, ...], spec: DistillationSpec, steps: range) -> list[int]:
    batches = (batch for step in steps for batch, _ in step_batches(text, spec, RULE, step))
    return [row[1] for batch in batches for row in originals(batch).tolist()]


def test_a_micro_batch_has_one_length_and_no_more_sequences_than_asked_for() -> None:
    for step in range(20):
        batches = [batch for batch, _ in step_batches(GROUPS, SPEC, RULE, step)]
        assert sum(len(batch.input_ids) for batch in batches) == SPEC.batch_size
        assert all(1 <= len(batch.input_ids) <= SPEC.micro_batch_size for batch in batches)
        for batch in batches:
            group = next(each for each in GROUPS if each.shape[1] == batch.input_ids.shape[1])
            assert set(map(tuple, originals(batch).tolist())) <= set(map(tuple, group.tolist()))


@pytest.mark.parametrize("text", [GROUPS, (sequences(40, 16),)], ids=["several lengths", "one length"])
def test_every_sequence_is_seen_once_an_epoch_and_each_epoch_has_another_order(text: tuple[np.ndarray, ...]) -> None:
    epochs = [seen(text, SPEC, range(first, first + 4)) for first in (0, 4, 8)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(5, 45))] * 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


@pytest.mark.parametrize("batch_size", [1, 7, 10, 64, 4096])
def test_shares_are_those_of_the_targets(batch_size: int) -> None:
    spec = replace(SPEC, batch_size=batch_size)
    parts = step_batches(GROUPS, spec, RULE, 1)
    total = sum(batch.labels.numel() for batch, _ in parts)
    assert [share for _, share in parts] == [batch.labels.numel() / total for batch, _ in parts]
    assert sum(share for _, share in parts) == pytest.approx(1)
    assert sum(len(batch.input_ids) for batch, _ in parts) == batch_size


def test_lengths_are_mixed_over_an_epoch() -> None:
    text = (sequences(160, 12), sequences(160, 32, first=160))
    lengths = [{batch.input_ids.shape[1] for batch, _ in step_batches(text, SPEC, RULE, step)} for step in range(32)]
    assert {12, 32} in lengths[:8] and {12, 32} in lengths[-8:]


def test_small_micro_batches_are_rare() -> None:
    text = (sequences(160, 12), sequences(160, 32, first=160))
    spec = replace(SPEC, batch_size=16)
    sizes = [len(batch.input_ids) for step in range(20) for batch, _ in step_batches(text, spec, RULE, step)]
    assert set(sizes) == {4}


@pytest.mark.parametrize("text", [GROUPS, GROUPS[2]], ids=["several lengths", "packed"])
def test_a_step_is_a_function_of_seed_and_number(text: np.ndarray) -> None:
    def step(number: int, seed: int = 3) -> list[list[list[int]]]:
        batches = step_batches(text, replace(SPEC, seed=seed), RULE, number)
        return [each.tolist() for batch, _ in batches for each in (batch.input_ids, batch.positions, batch.labels)]

    alone = step(7)
    assert [step(number) for number in range(9)][7] == alone
    assert step(7, seed=4) != alone != step(8)


@pytest.mark.parametrize("micro_batch_size", [1, 3, 10])
def test_what_is_learnt_does_not_depend_on_the_memory_that_there_is(micro_batch_size: int) -> None:
    """Of several lengths too: the same sequences with the same masks in every step."""
    other = replace(SPEC, micro_batch_size=micro_batch_size)
    for step in range(8):
        rows, others = (
            [row for batch, _ in step_batches(GROUPS, spec, RULE, step) for row in batch.input_ids.tolist()]
            for spec in (SPEC, other)
        )
        assert rows == others


def test_masks_of_a_step_do_not_depend_on_how_it_is_split() -> None:
    whole = [batch for batch, _ in step_batches(GROUPS[2], replace(SPEC, micro_batch_size=10), RULE, 2)]
    parts = [batch for batch, _ in step_batches(GROUPS[2], SPEC, RULE, 2)]
    assert torch.equal(torch.cat([batch.input_ids for batch in parts]), whole[0].input_ids)
    assert torch.equal(torch.cat([batch.positions for batch in parts]), whole[0].positions)


def test_smoothing_counts_the_text(tiny_roberta: Path) -> None:
    tokenizer = load_tokenizer(tiny_roberta)
    text = np.array([[0, 9, 9, 9, 8, 2]], dtype=np.uint16)
    rule = masking_rule(text, DistillationSpec(mask_smoothing=1.0, mask_fraction=0.3), tokenizer)
    assert rule == MaskingRule.for_tokenizer(tokenizer, 0.3)
    assert rule.token_weights is not None
    assert rule.token_weights[[7, 8, 9]].tolist() == pytest.approx([1, 1, 1 / 3])
    assert masking_rule(text, DistillationSpec(mask_smoothing=0.0), tokenizer).token_weights is None
