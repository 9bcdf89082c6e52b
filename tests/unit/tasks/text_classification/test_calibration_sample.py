from dataclasses import replace

import pytest
import torch
from classifiers import classifier, items, sample

from ose.tasks.text_classification.calibration_sample import first_items


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_any_rows_are_as_wide_as_the_longest_of_all(name: str) -> None:
    texts = items(name, 12)
    found, rows = sample(classifier(name), texts), torch.tensor([3, 5])
    longest = int(texts.lengths.max())
    assert found.input_ids.shape == (12, longest) and torch.equal(
        found.inputs(rows)["input_ids"], found.input_ids[rows]
    )
    assert found.inputs(rows)["attention_mask"].sum(1).tolist() == texts.lengths[rows].tolist()


def test_the_loss_falls_where_outputs_say_what_the_teacher_might_have() -> None:
    found, rows = sample(classifier("bert"), items("bert", 12)), torch.arange(12)
    sure = 9.0 * torch.nn.functional.one_hot(found.truth.flatten(), 3)[:, None].float()
    assert found.loss(sure, rows) < 0.01 < found.loss(-sure, rows)


def test_no_more_items_than_have_the_tokens_but_always_one() -> None:
    texts = items("bert", 40)
    some = first_items(texts, 100)
    following = int(texts.lengths[: len(some) + 1].sum())
    assert int(some.lengths.sum()) <= 100 < following and torch.equal(some.input_ids, texts.input_ids[: len(some)])
    assert len(first_items(texts, 1)) == 1


def test_padding_is_at_most_as_much_again() -> None:
    short = replace(items("bert", 40), lengths=torch.tensor([14] + [1] * 39))
    assert len(first_items(short, 53)) == 7  # of 53 tokens in all, 8 items would be 112 with their padding
