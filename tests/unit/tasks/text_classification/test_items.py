from dataclasses import replace
from pathlib import Path

import pytest
import torch
from classifiers import items

from ose.tasks.text_classification.items import TextItems


@pytest.fixture
def texts() -> TextItems:
    found = items("bert", 12, 20)
    return replace(
        found,
        token_type_ids=(torch.arange(20) > 4).int().expand(12, 20),
        labels=torch.arange(12),
        queries=torch.arange(12) // 3,
    )


def test_some_items_are_no_wider_than_the_longest_of_them(texts: TextItems) -> None:
    rows = texts.lengths.argsort()[:3]
    inputs = texts.inputs(rows)
    width = int(texts.lengths[rows].max())
    assert {name: each.shape for name, each in inputs.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), (3, width)
    )
    assert torch.equal(inputs["attention_mask"].sum(1), texts.lengths[rows])
    assert torch.equal(inputs["input_ids"], texts.input_ids[rows, :width])


def test_where_steps_are_recorded_all_batches_have_one_shape(texts: TextItems) -> None:
    there = texts.to(torch.device("meta"))
    assert there.inputs(torch.zeros(3, dtype=torch.long, device="meta"))["input_ids"].shape == (3, 20)


def test_of_models_without_kinds_of_tokens_none_are_told(texts: TextItems) -> None:
    assert "token_type_ids" not in replace(texts, token_type_ids=None).inputs()


def test_what_is_known_of_items_goes_along(texts: TextItems, tmp_path: Path) -> None:
    part = texts.take(torch.tensor([5, 2]))
    assert part.labels is not None and part.labels.tolist() == [5, 2] and part.queries.tolist() == [1, 0]
    assert len(part) == 2 and part.positions.tolist() == [[0], [0]]
    joined = TextItems.joined([part, texts])
    assert len(joined) == 14 and joined.labels.tolist()[:3] == [5, 2, 0]
    joined.save(tmp_path / "items")
    loaded = TextItems.load(tmp_path / "items")
    assert all(
        torch.equal(getattr(loaded, name), getattr(joined, name))
        for name in ("input_ids", "lengths", "labels", "queries")
    )


def test_what_is_not_known_stays_unknown(tmp_path: Path) -> None:
    items("bert", 3).save(tmp_path / "items")
    loaded = TextItems.load(tmp_path / "items")
    assert loaded.labels is None and loaded.queries is None and loaded.token_type_ids is None
