import argparse
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from ose.data import packing
from ose.data.docstrings import docstrings_of
from ose.data.packing import iter_token_ids, pack_sequences, token_stream
from ose.data.tokenizer import train_tokenizer

DOCUMENTS = docstrings_of(Path(argparse.__file__))
TOKENIZER = train_tokenizer(DOCUMENTS, vocab_size=400, sequence_length=32)


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return TOKENIZER


def test_a_separator_follows_each_document(tokenizer: PreTrainedTokenizerFast) -> None:
    stream = list(token_stream(["one two", "", "three"], tokenizer))
    one, three = (tokenizer.encode(text, add_special_tokens=False) for text in ("one two", "three"))
    assert stream == [*one, tokenizer.sep_token_id, *three, tokenizer.sep_token_id]


@settings(max_examples=30, deadline=None)
@given(
    documents=st.lists(st.text(min_size=3, max_size=40), max_size=20),
    sequence_length=st.integers(8, 20),
)
def test_every_token_but_the_last_incomplete_sequence_is_used_once_in_order(
    documents: list[str], sequence_length: int
) -> None:
    rows = pack_sequences(documents, TOKENIZER, sequence_length)
    stream = list(token_stream(documents, TOKENIZER))
    body = sequence_length - 2
    blocks = [stream[start : start + body] for start in range(0, len(stream) - body + 1, body)]
    assert rows[:, 1:-1].tolist() == [block for block in blocks if block.count(TOKENIZER.sep_token_id) <= body // 2]


def test_sequences_are_full_with_special_tokens_at_their_ends(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = pack_sequences(DOCUMENTS, tokenizer, 32)
    assert rows.shape[1] == 32
    assert len(rows) > 5
    assert rows.dtype == np.uint16
    assert (rows[:, 0] == tokenizer.cls_token_id).all()
    assert (rows[:, -1] == tokenizer.sep_token_id).all()
    assert not (rows == tokenizer.pad_token_id).any()


def test_reading_stops_at_the_sequences_asked_for(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = iter(DOCUMENTS * 1000)
    rows = pack_sequences(documents, tokenizer, 32, max_sequences=4)
    assert len(rows) == 4
    assert next(documents, None) is not None


def test_text_that_is_mostly_special_tokens_is_left_out(tokenizer: PreTrainedTokenizerFast) -> None:
    unknown = "<unk>" * 30  # as a text in a script that a word-piece vocabulary does not know
    rows = pack_sequences([unknown, DOCUMENTS[0]], tokenizer, 12)
    assert len(rows) > 0
    assert (np.isin(rows[:, 1:-1], tokenizer.all_special_ids).sum(axis=1) <= 5).all()


def test_no_text_gives_no_sequences(tokenizer: PreTrainedTokenizerFast) -> None:
    assert pack_sequences([], tokenizer, 16).shape == (0, 16)


LONG = "".join(f"{document} " for document in DOCUMENTS)


def test_a_long_document_in_pieces_has_the_tokens_that_it_has_as_a_whole(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(LONG.split())
    whole = list(iter_token_ids([text, "short", text], tokenizer))
    assert len(text) < packing._CHARACTERS_PER_CALL
    monkeypatch.setattr(packing, "_CHARACTERS_PER_CALL", 500)
    assert list(iter_token_ids([text, "short", text], tokenizer)) == whole
    assert list(token_stream(["short", text], tokenizer)) == [
        *whole[1], tokenizer.sep_token_id, *whole[0], tokenizer.sep_token_id
    ]  # fmt: skip


def test_no_call_gets_more_than_its_characters_even_without_a_space(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_CHARACTERS_PER_CALL", 100)
    sizes: list[int] = []

    def counted(texts: list[str], **options: bool) -> object:
        sizes.append(sum(map(len, texts)))
        return tokenizer(texts, **options)

    documents = ["a" * 1000, "b c " * 300, "d", "e" * 99, "f"]
    counts = [len(ids) for ids in iter_token_ids(documents, counted)]  # type: ignore[arg-type]
    assert len(counts) == 5 and max(sizes) <= 100 and sum(sizes) == sum(map(len, documents))
