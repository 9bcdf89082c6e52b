from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ose.core.augmentation import AugmentationSpec
from ose.data.tables import Row
from ose.tasks.text_classification.augmentation import MOST_WORDS, Augmentation
from ose.tasks.text_classification.encoding import encode_rows
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.teacher import load_classifier, load_tokenizer
from ose.tasks.text_classification.words import TokenKinds, nearest_words, single_token_words

WIDTH = 32
STILL = AugmentationSpec(copies=1_000, mask=0.0, replace=0.0, ngram=1.0)


@pytest.fixture
def items(tiny_classifier: Path, real_text: list[str]) -> TextItems:
    texts = [line for document in real_text for line in document.splitlines() if len(line.split()) > 6][:60]
    rows = [Row("", text) for text in texts]
    found = encode_rows(rows, load_tokenizer(tiny_classifier), WIDTH, has_token_types=False)
    return replace(found, labels=torch.arange(len(rows)) % 3)


@pytest.fixture
def pairs(tiny_classifier: Path, real_text: list[str]) -> TextItems:
    words = " ".join(real_text).split()
    rows = [Row("", " ".join(words[n : n + 5]), " ".join(words[n + 5 : n + 11])) for n in range(0, 550, 11)]
    found = encode_rows(rows, load_tokenizer(tiny_classifier), 48, has_token_types=False)
    return replace(found, token_type_ids=second_texts(found, load_tokenizer(tiny_classifier).sep_token_id))


def second_texts(items: TextItems, separator: int) -> torch.Tensor:
    """(N, T), 1 from behind the first separator to the end."""
    behind = (items.input_ids == separator).int().cumsum(dim=1) - (items.input_ids == separator).int()
    return (behind > 0).int() * (torch.arange(items.input_ids.shape[1]) < items.lengths[:, None])


def augmentation(teacher: Path, items: TextItems, spec: AugmentationSpec) -> Augmentation:
    tokenizer = load_tokenizer(teacher)
    kinds = TokenKinds.of(tokenizer, len(tokenizer))
    embeddings = load_classifier(teacher).get_input_embeddings().weight.detach()
    return Augmentation(spec=spec, kinds=kinds, neighbours=nearest_words(embeddings, single_token_words(items, kinds)))


def words_of(change: Augmentation, items: TextItems, row: int) -> list[list[int]]:
    ids = items.input_ids[row, : items.lengths[row]].numpy()
    starts = change.kinds.word_starts(ids)
    words: list[list[int]] = []
    for token, begins in zip(ids.tolist(), starts, strict=True):
        if begins:
            words.append([])
        if not change.kinds.are_structure[token]:
            words[-1].append(token)
    return words


def test_it_is_a_function_of_its_random_numbers(tiny_classifier: Path, items: TextItems) -> None:
    change = augmentation(tiny_classifier, items, AugmentationSpec())
    first, again, other = (change(items, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.input_ids, again.input_ids) and torch.equal(first.lengths, again.lengths)
    assert not torch.equal(first.input_ids, other.input_ids)
    assert torch.equal(items.input_ids, items.input_ids.clone()) and items.are_changed is None


def test_structure_and_padding_stay_what_they_are(tiny_classifier: Path, items: TextItems) -> None:
    change = augmentation(tiny_classifier, items, AugmentationSpec(copies=1_000, mask=0.5, replace=0.5))
    changed, tokenizer = change(items, np.random.default_rng(0)), load_tokenizer(tiny_classifier)
    assert changed.are_changed is not None and changed.are_changed.float().mean() > 0.9
    for row in range(len(items)):
        ids = changed.input_ids[row, : changed.lengths[row]]
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        assert not (ids[1:-1] == tokenizer.sep_token_id).any()
        assert (changed.input_ids[row, changed.lengths[row] :] == tokenizer.pad_token_id).all()


def test_words_are_masked_whole_and_as_often_as_asked(tiny_classifier: Path, items: TextItems) -> None:
    spec = AugmentationSpec(copies=1_000, mask=0.3, replace=0.0, ngram=0.0)
    change, mask = augmentation(tiny_classifier, items, spec), load_tokenizer(tiny_classifier).mask_token_id
    changed, num_masked, num_words = change(items, np.random.default_rng(0)), 0, 0
    for row in range(len(items)):
        ids, others = items.input_ids[row].numpy(), changed.input_ids[row].numpy()
        word = change.kinds.word_starts(ids).cumsum()
        for number in range(1, word.max() + 1):
            here = (word == number) & ~change.kinds.are_structure[ids]
            assert (others[here] == mask).all() or (others[here] == ids[here]).all()
            num_masked, num_words = num_masked + int((others[here] == mask).all()), num_words + 1
    assert num_masked / num_words == pytest.approx(0.3, abs=0.06)


def test_words_become_near_ones_of_the_same_length(tiny_classifier: Path, items: TextItems) -> None:
    change = augmentation(tiny_classifier, items, AugmentationSpec(copies=1_000, mask=0.0, replace=1.0, ngram=0.0))
    changed = change(items, np.random.default_rng(0))
    assert torch.equal(changed.lengths, items.lengths)
    differs = changed.input_ids != items.input_ids
    before, after = items.input_ids[differs].numpy(), changed.input_ids[differs].numpy()
    assert differs.float().mean() > 0.05
    assert (change.neighbours[before] == after[:, None]).any(axis=1).all()


def test_texts_are_cut_to_a_few_words_in_a_row(tiny_classifier: Path, items: TextItems) -> None:
    change = augmentation(tiny_classifier, items, STILL)
    changed, counts = change(items, np.random.default_rng(0)), set()
    for row in range(len(items)):
        whole, few = words_of(change, items, row), words_of(change, changed, row)
        if len(few) < len(whole):
            counts.add(len(few))
            assert any(whole[n : n + len(few)] == few for n in range(len(whole)))
    assert counts == set(range(1, MOST_WORDS + 1))


def test_of_pairs_either_text_is_changed_or_both(tiny_classifier: Path, pairs: TextItems) -> None:
    change = augmentation(tiny_classifier, pairs, STILL)
    changed, separator = change(pairs, np.random.default_rng(0)), load_tokenizer(tiny_classifier).sep_token_id
    assert changed.token_type_ids is not None
    assert torch.equal(changed.token_type_ids, second_texts(changed, separator))
    kinds = set()
    for row in range(len(pairs)):
        sizes = [
            [
                int(((each.token_type_ids[row] == text) & (torch.arange(48) < each.lengths[row])).sum())
                for text in (0, 1)
            ]
            for each in (pairs, changed)
        ]
        kinds.add(tuple(after < before for before, after in zip(*sizes, strict=True)))
    assert kinds >= {(True, False), (False, True), (True, True)}


def test_so_many_stay_as_they_are_as_the_copies_say(tiny_classifier: Path, items: TextItems) -> None:
    many = items.take(torch.arange(60).repeat(10))
    change = augmentation(tiny_classifier, items, replace(STILL, copies=3))
    changed = change(many, np.random.default_rng(0)).are_changed
    assert changed is not None and changed.float().mean() == pytest.approx(0.75, abs=0.06)


def test_a_text_without_a_word_stays(tiny_classifier: Path, items: TextItems) -> None:
    tokenizer = load_tokenizer(tiny_classifier)
    ids = torch.tensor([[tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id]])
    empty = TextItems(input_ids=ids, lengths=torch.tensor([2]))
    changed = augmentation(tiny_classifier, items, STILL)(empty, np.random.default_rng(0))
    assert torch.equal(changed.input_ids, ids) and not changed.are_changed.any()
