import argparse
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ose.data.docstrings import docstrings_of
from ose.data.grouping import GROUP_WIDTH, MIN_TOKENS, group_sequences
from ose.data.tokenizer import train_tokenizer

DOCUMENTS = docstrings_of(Path(argparse.__file__))
TOKENIZER = train_tokenizer(DOCUMENTS, vocab_size=400, sequence_length=32)
CLS, SEP = TOKENIZER.cls_token_id, TOKENIZER.sep_token_id
EVERYTHING = 10**9


def tokens(document: str) -> list[int]:
    return TOKENIZER.encode(document, add_special_tokens=False)


def test_each_length_is_a_group_of_full_sequences() -> None:
    groups = group_sequences(DOCUMENTS, TOKENIZER, 32, EVERYTHING)
    assert len(groups) > 3
    assert [group.shape[1] for group in groups] == sorted({group.shape[1] for group in groups})
    for group in groups:
        assert group.dtype == np.uint16
        assert group.shape[1] % GROUP_WIDTH == 0 and MIN_TOKENS <= group.shape[1] <= 32
        assert (group[:, 0] == CLS).all() and (group[:, -1] == SEP).all()
        assert not (group == TOKENIZER.pad_token_id).any()


@settings(max_examples=30, deadline=None)
@given(documents=st.lists(st.sampled_from(DOCUMENTS), max_size=5), sequence_length=st.integers(12, 40))
def test_a_sequence_is_the_beginning_of_a_part_of_one_document(documents: list[str], sequence_length: int) -> None:
    body = sequence_length - 2
    parts = [ids[i : i + body] for ids in map(tokens, documents) for i in range(0, len(ids), body)]
    expected = sorted(part[: (len(part) + 2) // 4 * 4 - 2] for part in parts if len(part) + 2 >= MIN_TOKENS)
    groups = group_sequences(documents, TOKENIZER, sequence_length, EVERYTHING)
    assert sorted(row[1:-1] for group in groups for row in group.tolist()) == expected


@pytest.mark.parametrize(
    ("num_tokens", "lengths"), [(9, []), (10, [12]), (13, [12]), (14, [16]), (30, [32]), (31, [32])]
)
def test_short_sequences_are_left_out_and_others_lose_three_tokens_at_most(num_tokens: int, lengths: list[int]) -> None:
    document = TOKENIZER.decode(tokens(DOCUMENTS[0])[:num_tokens])
    assert len(tokens(document)) == num_tokens
    assert [group.shape[1] for group in group_sequences([document], TOKENIZER, 32, EVERYTHING)] == lengths


@pytest.mark.parametrize(("num_unknown", "is_kept"), [(0, True), (10, True), (11, False), (20, False)])
def test_what_is_unknown_for_half_is_left_out(num_unknown: int, is_kept: bool) -> None:
    known = TOKENIZER.decode(tokens(DOCUMENTS[0])[: 22 - num_unknown])
    document = "<unk>" * num_unknown + known
    assert len(tokens(document)) == 22
    assert bool(group_sequences([document], TOKENIZER, 32, EVERYTHING)) is is_kept


def test_reading_stops_at_the_bound() -> None:
    documents = iter(DOCUMENTS * 1000)
    groups = group_sequences(documents, TOKENIZER, 32, 200)
    assert 200 <= sum(group.size for group in groups) < 200 + max(len(tokens(each)) for each in DOCUMENTS)
    assert next(documents, None) is not None
