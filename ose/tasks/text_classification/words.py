"""Which tokens of a text make a word, and which words may stand for one another.

A word is known by its tokens alone: tokenizers mark the tokens that begin a word, or those that do not. Words that may
stand for one another are the nearest in the teacher's own embeddings. Such words are mostly of one part of speech
(numbers by numbers, verbs by verbs of the same form), with no tagger and no word vectors to download; and they are also
of one topic, antonyms included, which is why the teacher labels what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from ose.tasks.text_classification.items import TextItems

NUM_NEIGHBOURS = 15
"""TinyBERT's K, arXiv 1909.10351."""

_MARKS = {"\u0120": True, "\u2581": True, "##": False}
"""What marks tokens, and whether these begin a word: byte-level pieces, sentence pieces, word pieces."""

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKinds:
    """What is known of each token of a vocabulary.

    Attributes:
        are_structure: (V,), those that give a sequence its form: they are no words and never touched.
        continue_words: (V,), those that go on with the word before.
        mask_token: What a word is masked by; None if the tokenizer has nothing that says nothing.
        pad_token: What fills up a sequence.
    """

    are_structure: np.ndarray
    continue_words: np.ndarray
    mask_token: int | None
    pad_token: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, vocab_size: int) -> TokenKinds:
        """By a tokenizer's marks, for a model of so many tokens."""
        tokens: Any = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        structure = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}
        structure = {each for each in structure | {tokenizer.pad_token_id} if each is not None}
        continues = np.zeros(max(vocab_size, len(tokenizer)), dtype=bool)
        continues[: len(tokens)] = _continuing(tokens)
        continues[list(tokenizer.all_special_ids)] = False
        are_structure = np.zeros_like(continues)
        are_structure[sorted(structure)] = True
        mask = tokenizer.unk_token_id if tokenizer.mask_token_id is None else tokenizer.mask_token_id
        return cls(
            are_structure=are_structure,
            continue_words=continues,
            mask_token=mask,
            pad_token=tokenizer.pad_token_id,
        )

    def word_starts(self, input_ids: np.ndarray) -> np.ndarray:
        """(..., T), whether a word begins at a token; the first one after structure always begins one."""
        structure = self.are_structure[input_ids]
        after_structure = np.ones_like(structure)
        after_structure[..., 1:] = structure[..., :-1]
        starts: np.ndarray = ~structure & (after_structure | ~self.continue_words[input_ids])
        return starts


def single_token_words(items: TextItems, kinds: TokenKinds) -> np.ndarray:
    """The tokens that are whole words somewhere in the items, ascending."""
    ids = items.input_ids.numpy()
    starts = kinds.word_starts(ids)
    is_inside = ~starts & ~kinds.are_structure[ids]
    goes_on = np.zeros_like(starts)
    goes_on[:, :-1] = is_inside[:, 1:]
    return np.setdiff1d(np.unique(ids[starts & ~goes_on]), [-1 if kinds.mask_token is None else kinds.mask_token])


def nearest_words(embeddings: torch.Tensor, words: np.ndarray, count: int = NUM_NEIGHBOURS) -> np.ndarray:
    """(V, K): for each of the words the others that point most nearly where it does; -1 of what is no such word.

    Args:
        embeddings: (V, H), the teacher's.
        words: (U,), tokens.
        count: K, or U - 1 if that is less.
    """
    count = max(0, min(count, len(words) - 1))
    found = np.full((len(embeddings), count), -1, dtype=np.int32)
    if not count:
        return found
    directions = F.normalize(embeddings[torch.from_numpy(words).long()].float(), dim=-1)
    for rows in torch.arange(len(words)).split(_ROWS_AT_ONCE):
        cosines = directions[rows] @ directions.T
        cosines[torch.arange(len(rows)), rows] = -torch.inf
        found[words[rows.numpy()]] = words[cosines.topk(count, dim=-1).indices.numpy()]
    return found


def _continuing(tokens: list[str]) -> np.ndarray:
    """(V,), by the mark that most tokens have: vocabularies have a few tokens that look like the marks of others."""
    marked = {mark: np.array([token.startswith(mark) for token in tokens]) for mark in _MARKS}
    mark = max(_MARKS, key=lambda each: int(marked[each].sum()))
    if not marked[mark].any():
        return np.zeros(len(tokens), dtype=bool)
    return ~marked[mark] if _MARKS[mark] else marked[mark]
