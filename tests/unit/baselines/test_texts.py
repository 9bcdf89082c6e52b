from __future__ import annotations

import pytest
import torch

from ose.baselines.texts import long_text, texts_of
from ose.tasks.text_classification.items import TextItems

START, END, PAD = 1, 2, 0
BERT_PAIR = [START, 10, 11, END, 12, END, PAD]
ROBERTA_PAIR = [START, 10, 11, END, END, 12, END]


def _items(*rows: list[int]) -> TextItems:
    input_ids = torch.tensor(rows)
    return TextItems(input_ids=input_ids, lengths=(input_ids != PAD).sum(dim=1))


def _lists(texts: list[tuple]) -> list[list[list[int]]]:
    return [[ids.tolist() for ids in text] for text in texts]


def test_a_text_is_what_stands_between_the_special_tokens() -> None:
    items = _items([START, 10, 11, END, PAD], [START, 12, END, PAD, PAD], [START, END, PAD, PAD, PAD])
    texts = texts_of(items, slice(None), {START, END, PAD}, is_pair=False)
    assert _lists(texts) == [[[10, 11]], [[12]], [[]]]


@pytest.mark.parametrize("row", [BERT_PAIR, ROBERTA_PAIR], ids=["bert", "roberta"])
def test_the_texts_of_a_pair_come_apart(row: list[int]) -> None:
    assert _lists(texts_of(_items(row), slice(None), {START, END, PAD}, is_pair=True)) == [[[10, 11], [12]]]


def test_a_pair_without_a_first_text_keeps_the_second() -> None:
    assert _lists(texts_of(_items([START, END, 12, END]), slice(None), {START, END, PAD}, is_pair=True)) == [[[], [12]]]


def test_some_of_the_items() -> None:
    items = _items([START, 10, END], [START, 11, END], [START, 12, END])
    assert _lists(texts_of(items, torch.tensor([2, 0]), {START, END}, is_pair=False)) == [[[12]], [[10]]]


@pytest.mark.parametrize("num_tokens", [1, 4, 9])
@pytest.mark.parametrize("is_pair", [False, True])
def test_a_long_text_has_as_many_tokens_as_it_should(num_tokens: int, is_pair: bool) -> None:
    texts = texts_of(_items(BERT_PAIR), slice(None), {START, END, PAD}, is_pair=is_pair)
    text = long_text(texts, num_tokens)
    assert sum(map(len, text)) == num_tokens
    assert set().union(*(ids.tolist() for ids in text)) <= {10, 11, 12}
