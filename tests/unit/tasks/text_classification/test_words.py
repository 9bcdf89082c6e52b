from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ose.data.tables import Row
from ose.tasks.text_classification.encoding import encode_rows
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.teacher import load_tokenizer
from ose.tasks.text_classification.words import TokenKinds, nearest_words, single_token_words

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "##s", "##y", "a", "Ġ")


@pytest.fixture
def pieces() -> PreTrainedTokenizerBase:
    """A tokenizer of word pieces."""
    tokens = Tokenizer(models.WordPiece({each: n for n, each in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokens.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokens, mask_token="[MASK]", **special)


def encoded(tokenizer: PreTrainedTokenizerBase, *texts: str) -> TextItems:
    return encode_rows([Row("", text) for text in texts], tokenizer, 12, has_token_types=False)


def test_words_of_word_pieces_begin_where_no_mark_stands(pieces: PreTrainedTokenizerBase) -> None:
    kinds = TokenKinds.of(pieces, len(VOCABULARY))
    ids = encoded(pieces, "a goody films bad").input_ids.numpy()
    tokens = pieces.convert_ids_to_tokens(ids[0].tolist())
    begun = [token for token, begins in zip(tokens, kinds.word_starts(ids)[0], strict=True) if begins]
    assert begun == ["a", "good", "film", "bad"]
    assert kinds.mask_token == pieces.mask_token_id


def test_words_of_byte_level_pieces_begin_at_their_mark_and_after_structure(tiny_classifier: Path) -> None:
    tokenizer = load_tokenizer(tiny_classifier)
    kinds = TokenKinds.of(tokenizer, len(tokenizer))
    ids = encoded(tokenizer, "unlikely the of").input_ids.numpy()
    starts = kinds.word_starts(ids)[0]
    assert starts.sum() == 3 and starts[1] and not starts[0]


def test_only_words_of_one_token_are_replaced_and_replace(pieces: PreTrainedTokenizerBase) -> None:
    kinds = TokenKinds.of(pieces, len(VOCABULARY))
    words = single_token_words(encoded(pieces, "a goody film", "bad films"), kinds)
    assert pieces.convert_ids_to_tokens(words.tolist()) == ["bad", "film", "a"]


def test_the_nearest_words_are_those_that_point_alike() -> None:
    embeddings = torch.tensor([[1.0, 0], [9, 1], [0, 1], [-1, 0], [1, 1]])
    near = nearest_words(embeddings, np.array([0, 1, 2, 3]), count=2)
    assert near[0].tolist() == [1, 2] and near[1].tolist() == [0, 2] and near[3][0] == 2
    assert near[4].tolist() == [-1, -1]
    assert nearest_words(embeddings, np.array([2])).shape == (5, 0)
