import numpy as np
import pytest
import torch
from builders import beyond
from classifiers import items
from distillations import SPEC

from ose.tasks.text_classification.batches import batches_of

ITEMS = items("bert", 200)
SPEC_OF_32 = beyond(SPEC, batch_size=32, micro_batch_size=5)


def test_an_epoch_has_every_item_once_at_most_and_texts_of_about_one_length_together() -> None:
    batches = batches_of(ITEMS, SPEC_OF_32)
    seen: list[tuple[int, ...]] = []
    for step in range(4):
        micro = batches(step)
        assert sum(len(each) for each, _ in micro) == 32
        assert sum(share for _, share in micro) == pytest.approx(1)
        for each, share in micro:
            assert share == len(each) / 32 and len(each) <= 5
            assert int(each.lengths.max() - each.lengths.min()) < 4
            seen += [tuple(row) for row in each.input_ids.tolist()]
    assert len(set(seen)) == len(seen) == 128


def test_a_step_follows_from_seed_and_number_alone() -> None:
    def rows(seed: int, step: int) -> list[list[int]]:
        made = batches_of(ITEMS, beyond(SPEC_OF_32, seed=seed))(step)
        return torch.cat([each.input_ids for each, _ in made]).tolist()

    assert rows(0, 9) == rows(0, 9) != rows(1, 9) and rows(0, 9) != rows(0, 10)


def test_all_lengths_come_in_time() -> None:
    batches = batches_of(ITEMS, SPEC_OF_32)
    lengths = {int(length) for step in range(60) for each, _ in batches(step) for length in each.lengths}
    assert lengths == set(np.unique(ITEMS.lengths.numpy()).tolist())
