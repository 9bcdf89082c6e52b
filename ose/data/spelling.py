"""Whether a vocabulary can spell a text: what is unknown to it, or taken apart into characters, cannot be learnt from.

A tokenizer never fails on text of another language or another vocabulary; what it makes of it says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ose.errors import CorpusError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_MOST = 0.5
_CHARACTERS_OF_A_TEXT = 2_000
_FEWEST_TOKENS = 100
"""Fewer are no ground to refuse a text."""

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
"""Of Chinese, Japanese and Korean, each of which is a word of its own."""

_IDEOGRAPH = re.compile(f"[{_IDEOGRAPHS}]")
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|(?:(?![{_IDEOGRAPHS}])\w)+")
_UNKNOWN = ("<unk>", "[UNK]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How a vocabulary spells texts.

    Attributes:
        num_tokens: Without special ones.
        tokens_per_word: A punctuation mark is a token and no word.
        unknown_share: Tokens that stand for what the vocabulary does not know.
        piece_share: Tokens that are a single character or byte of a longer word.
    """

    num_tokens: int
    tokens_per_word: float
    unknown_share: float
    piece_share: float


def spelling_of(texts: Iterable[str], tokenizer: Tokenizer) -> Spelling:
    """How a tokenizer spells the beginnings of texts."""
    beginnings = [text[:_CHARACTERS_OF_A_TEXT] for text in texts]
    unknown = _unknown_id(tokenizer)
    num_tokens = num_unknown = num_pieces = 0
    encoded = tokenizer.encode_batch(beginnings, add_special_tokens=False)
    for text, encoding in zip(beginnings, encoded, strict=True):
        tokens, unknowns, pieces = _counted(text, encoding, unknown)
        num_tokens, num_unknown, num_pieces = num_tokens + tokens, num_unknown + unknowns, num_pieces + pieces
    num_words = sum(len(_WORD.findall(text)) for text in beginnings)
    return Spelling(
        num_tokens=num_tokens,
        tokens_per_word=num_tokens / max(1, num_words),
        unknown_share=num_unknown / max(1, num_tokens),
        piece_share=num_pieces / max(1, num_tokens),
    )


def require_spelling(spelling: Spelling, what: str) -> None:
    """Refuse text that a vocabulary cannot spell.

    Args:
        spelling: Of some of it.
        what: What messages call the text.

    Raises:
        CorpusError: More than half of its tokens are unknown, or pieces of words.
    """
    if spelling.num_tokens < _FEWEST_TOKENS:
        return
    if spelling.unknown_share > _MOST:
        problem = f"{spelling.unknown_share:.0%} of its tokens are unknown to the teacher's vocabulary"
    elif spelling.piece_share > _MOST:
        problem = f"the teacher's vocabulary takes it apart: {spelling.piece_share:.0%} are single characters or bytes"
    else:
        return
    raise CorpusError(
        f"{what}: {problem}; take text of the teacher's language, or a teacher of the text's; if it is meant, set "
        "corpus.as_is: true (--corpus-as-is)"
    )


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    names = (getattr(tokenizer.model, "unk_token", None), *_UNKNOWN)
    ids = (tokenizer.token_to_id(name) for name in names if isinstance(name, str))
    return next((each for each in ids if each is not None), None)


def _counted(text: str, encoding: Encoding, unknown: int | None) -> tuple[int, int, int]:
    """Tokens of a text, those that are unknown, and those that are pieces; blanks alone are none."""
    num_tokens = num_unknown = num_pieces = 0
    spans = encoding.offsets
    for place, (each, span) in enumerate(zip(encoding.ids, spans, strict=True)):
        shown = text[slice(*span)].strip()
        if each == unknown:
            num_unknown += 1
        elif not shown:
            continue
        elif len(shown) == 1:
            of_one = span in (spans[place - 1] if place else None, spans[place + 1] if place + 1 < len(spans) else None)
            num_pieces += of_one or _is_inside_a_word(text, text.index(shown, span[0]))
        num_tokens += 1
    return num_tokens, num_unknown, num_pieces


def _is_inside_a_word(text: str, place: int) -> bool:
    if _IDEOGRAPH.match(text[place]) or not _is_of_a_word(text[place]):
        return False
    return any(_is_of_a_word(each) for each in (text[max(0, place - 1) : place], text[place + 1 : place + 2]))


def _is_of_a_word(character: str) -> bool:
    return bool(character) and (character.isalnum() or unicodedata.category(character).startswith("M"))
