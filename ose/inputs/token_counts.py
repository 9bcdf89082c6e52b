"""Count the tokens of texts as a teacher's tokenizer makes them, without transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ose.errors import TeacherError
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import TOKENIZER_CONFIG

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CountTokens = Callable[[str, str | None], int]
"""From a text, or two, to its tokens with the special ones, however many a sequence may have."""


def token_counter(folder: TeacherFolder) -> CountTokens | None:
    """Counts the tokens of a teacher; None where its tokenizer is in a form that only other libraries read.

    Raises:
        TeacherError: The tokenizer cannot be used.
    """
    tokenizer = tokenizer_of(folder)
    return None if tokenizer is None else lambda text, pair: len(tokenizer.encode(text, pair).ids)


def tokenizer_of(folder: TeacherFolder) -> Tokenizer | None:
    """A teacher's tokenizer, which neither cuts nor pads; None where it is in a form that only other libraries read.

    Raises:
        TeacherError: It cannot be used.
    """
    try:
        tokenizer = _tokenizer(folder)
    except BaseException as error:  # the library raises bare exceptions, and panics, which are none
        if isinstance(error, (TeacherError, KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        raise TeacherError(f"{folder.path}: the tokenizer cannot be read: {_line(error)}") from error
    if tokenizer is not None:
        tokenizer.no_truncation()  # which its file may ask for
        tokenizer.no_padding()
    return tokenizer


def _tokenizer(folder: TeacherFolder) -> Tokenizer | None:
    from tokenizers import Tokenizer

    present = folder.tokenizer()
    if "tokenizer.json" in present:
        return Tokenizer.from_str(folder.read("tokenizer.json").decode())
    if "vocab.txt" in present:
        return _word_piece(folder)
    return _byte_level(folder) if {"vocab.json", "merges.txt"} <= set(present) else None


def _word_piece(folder: TeacherFolder) -> Tokenizer:
    from tokenizers import BertWordPieceTokenizer

    words = folder.read("vocab.txt").decode().splitlines()
    settings = _settings(folder)
    special = {f"{name}_token": _text(settings.get(f"{name}_token"), f"[{name.upper()}]") for name in _WORD_PIECE}
    tokenizer: Tokenizer = BertWordPieceTokenizer(
        {word: number for number, word in enumerate(words)},
        lowercase=bool(settings.get("do_lower_case", True)),
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
        **special,
    )._tokenizer
    return tokenizer


_WORD_PIECE = ("unk", "sep", "cls", "pad", "mask")


def _byte_level(folder: TeacherFolder) -> Tokenizer:
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing

    vocabulary = folder.read_object("vocab.json")
    lines = folder.read("merges.txt").decode().splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line.strip() and not line.startswith("#version")]
    settings = _settings(folder)
    spaced = bool(settings.get("add_prefix_space"))
    tokenizer: Tokenizer = ByteLevelBPETokenizer(vocabulary, merges, add_prefix_space=spaced)._tokenizer
    begin, end = _text(settings.get("cls_token"), "<s>"), _text(settings.get("sep_token"), "</s>")
    if begin in vocabulary and end in vocabulary:
        tokenizer.post_processor = RobertaProcessing((end, vocabulary[end]), (begin, vocabulary[begin]))
    return tokenizer


def _settings(folder: TeacherFolder) -> dict[str, Any]:
    return folder.read_object(TOKENIZER_CONFIG) if TOKENIZER_CONFIG in folder.tokenizer() else {}


def _text(token: Any, usual: str) -> str:
    """A special token, which files have as text, or as an object that says more of it."""
    value = token.get("content") if isinstance(token, dict) else token
    return value if isinstance(value, str) else usual


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
