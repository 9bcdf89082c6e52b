from dataclasses import replace

import numpy as np
import pytest
import torch
from classifiers import items

from ose.core.presets import preset_spec
from ose.core.recipe import DistillationSpec
from ose.tasks.text_classification.batches import batches_of, general_batches_of
from ose.tasks.text_classification.items import TextItems

SPEC = preset_spec("task", batch_size=10, micro_batch_size=4)
TEXTS = items("bert", 24)
PACKED = np.arange(24 * 5).reshape(24, 5).astype(np.uint16)


def numbered(texts: TextItems, generator: np.random.Generator) -> TextItems:
    """A change that tells which random numbers it was given."""
    return replace(texts, input_ids=texts.input_ids * 0 + int(generator.integers(10**6)))


def seen(batches: list[tuple[TextItems, float]]) -> list[list[list[int]]]:
    return [items.input_ids.tolist() for items, _ in batches]


def test_every_item_comes_once_an_epoch_and_the_shares_are_those_of_a_step() -> None:
    batches = batches_of(replace(TEXTS, labels=torch.arange(24)), replace(SPEC, batch_size=12))
    parts = [part for step in range(2) for part in batches(step)]
    assert sorted(label for items, _ in parts for label in items.labels.tolist()) == list(range(24))
    assert sum(share for _, share in parts) == pytest.approx(2)
    assert all(len(items) <= 4 and int(items.lengths.max() - items.lengths.min()) < 4 for items, _ in parts)


def test_changes_are_a_function_of_seed_and_step() -> None:
    def at(step: int, spec: DistillationSpec = SPEC) -> list[list[list[int]]]:
        return seen(batches_of(TEXTS, spec, numbered)(step))

    assert at(3) == at(3) != at(4)
    assert at(3, replace(SPEC, seed=1)) != at(3)
    assert len({str(part) for part in at(3)}) == len(at(3))


def test_packed_text_is_gone_through_epoch_after_epoch() -> None:
    batches = general_batches_of(PACKED, replace(SPEC, batch_size=8))
    parts = [items for step in range(3) for items, _ in batches(step)]
    assert sorted(row for items in parts for row in items.input_ids.tolist()) == PACKED.tolist()
    assert all((items.lengths == 5).all() and items.labels is None for items in parts)
    assert seen(batches(7)) == seen(general_batches_of(PACKED, replace(SPEC, batch_size=8))(7))
    assert [share for _, share in batches(0)] == [0.5, 0.5]


def test_all_lengths_come_in_time_and_micro_batches_are_full() -> None:
    many = items("bert", 200)
    batches = batches_of(many, replace(SPEC, batch_size=32))
    lengths = {int(length) for step in range(60) for each, _ in batches(step) for length in each.lengths}
    assert lengths == set(np.unique(many.lengths.numpy()).tolist())
