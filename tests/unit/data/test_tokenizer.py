import argparse
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from ose.data.docstrings import docstrings_of
from ose.data.tokenizer import train_tokenizer

DOCUMENTS = docstrings_of(Path(argparse.__file__))
TOKENIZER = train_tokenizer(DOCUMENTS, vocab_size=500, sequence_length=64)
SPECIAL = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60).filter(lambda text: not any(token in text for token in SPECIAL)))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    assert TOKENIZER.decode(ids, clean_up_tokenization_spaces=False) == text


def test_special_tokens_come_first_in_robertas_order() -> None:
    assert TOKENIZER.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) == [0, 1, 2, 3, 4]
    assert (TOKENIZER.cls_token_id, TOKENIZER.pad_token_id, TOKENIZER.sep_token_id) == (0, 1, 2)
    assert set(TOKENIZER.all_special_tokens) == SPECIAL


def test_the_vocabulary_has_the_size_asked_for_and_merges_words() -> None:
    assert len(TOKENIZER) == 500
    assert len(TOKENIZER.encode(" argument", add_special_tokens=False)) < 4


def test_the_mask_swallows_the_space_before_it() -> None:
    ids = TOKENIZER.encode("an <mask> here", add_special_tokens=False)
    plain = [TOKENIZER.encode(text, add_special_tokens=False) for text in ("an", " here")]
    assert ids == [*plain[0], TOKENIZER.mask_token_id, *plain[1]]


def test_a_sequence_stands_between_start_and_end() -> None:
    assert TOKENIZER("a")["input_ids"][0] == 0
    assert TOKENIZER("a")["input_ids"][-1] == 2
    assert TOKENIZER.model_max_length == 64


@pytest.mark.parametrize("text", [DOCUMENTS[0], "an <mask> here", "ünïcödé 漢字"])
def test_a_saved_tokenizer_reads_text_as_before(text: str, tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.encode(text) == TOKENIZER.encode(text)
    assert (len(loaded), loaded.model_max_length, loaded.mask_token_id) == (500, 64, 4)
