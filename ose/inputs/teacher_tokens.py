"""A teacher's tokenizer held against its config.json: whether every token has a row, and padding one id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ose.errors import TeacherError
from ose.tasks.teacher_folder import TOKENIZERS, TeacherFolder
from ose.tasks.teacher_settings import CONFIG, SPECIAL_TOKENS, TOKENIZER_CONFIG, handed_on

_ADDED = "added_tokens.json"


def require_tokenizer(folder: TeacherFolder, vocab_size: int) -> None:
    """Refuse a teacher whose tokenizer is missing, or another model's.

    Args:
        folder: The teacher's.
        vocab_size: Rows of the model's vocabulary.

    Raises:
        TeacherError: No tokenizer is there, a token has no row, or padding has two ids.
    """
    present = folder.tokenizer()
    if not any(set(files) <= set(present) for files in TOKENIZERS):
        raise TeacherError(f"{folder.path} has no tokenizer (tokenizer.json, vocab.txt, or vocab.json with merges.txt)")
    for name in present:
        handed_on(name, folder.read(name), folder.path)
    vocabulary: dict[str, int] = {}
    for name in (each for each in _READERS if each in present):
        ids = _read(folder, name)
        _require_rows(folder, name, max(ids.values(), default=-1), vocab_size)
        vocabulary |= ids
    _require_one_padding(folder, vocabulary)


def _read(folder: TeacherFolder, name: str) -> dict[str, int]:
    try:
        found = {str(token): index for token, index in _READERS[name](folder) if type(index) is int}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, TeacherError):
            raise
        raise TeacherError(f"{folder.path / name} is no tokenizer's file") from error
    return found


def _require_rows(folder: TeacherFolder, name: str, highest: int, vocab_size: int) -> None:
    if highest >= vocab_size:
        raise TeacherError(
            f"{folder.path}: the tokenizer has token ids up to {highest:,}, the model's vocabulary ends before "
            f"{vocab_size:,} ({name}); they do not belong together"
        )


def _require_one_padding(folder: TeacherFolder, vocabulary: dict[str, int]) -> None:
    """The model takes one id for padding and the tokenizer another: words are left out, or padding is read as text."""
    of_model, token = folder.read_object(CONFIG).get("pad_token_id"), _padding_token(folder)
    if token is None or of_model is None or vocabulary.get(token, of_model) == of_model:
        return
    raise TeacherError(
        f"{folder.path}: padding is token {vocabulary[token]:,} ({token[:20]!r}) to the tokenizer and pad_token_id "
        f"{of_model:,} to config.json; write the one that it was trained with in both"
    )


def _padding_token(folder: TeacherFolder) -> str | None:
    """The text of the padding token; None where no file names one."""
    for name in (TOKENIZER_CONFIG, SPECIAL_TOKENS):
        token = folder.read_object(name).get("pad_token") if name in folder.tokenizer() else None
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str):
            return text
    return None


def _of_all(folder: TeacherFolder) -> Iterator[tuple[str, Any]]:
    content = folder.read_object("tokenizer.json")
    vocabulary = content["model"]["vocab"]
    if isinstance(vocabulary, dict):
        yield from vocabulary.items()
    else:  # a Unigram model's, with the logarithm of each piece's probability
        yield from ((piece, index) for index, (piece, _) in enumerate(vocabulary))
    yield from ((entry["content"], entry["id"]) for entry in content.get("added_tokens") or ())


def _of_lines(folder: TeacherFolder) -> Iterator[tuple[str, Any]]:
    lines = folder.read("vocab.txt").decode(errors="replace").splitlines()
    yield from ((word, index) for index, word in enumerate(lines))


def _of_table(name: str) -> Callable[[TeacherFolder], Iterator[tuple[str, Any]]]:
    return lambda folder: iter(folder.read_object(name).items())


def _of_settings(folder: TeacherFolder) -> Iterator[tuple[str, Any]]:
    added = folder.read_object(TOKENIZER_CONFIG).get("added_tokens_decoder") or {}
    yield from ((entry["content"], int(index)) for index, entry in added.items())


def _of_pieces(name: str) -> Callable[[TeacherFolder], Iterator[tuple[str, Any]]]:
    """A SentencePiece model's, as many as it has: which ids the class gives them, only the class knows."""
    return lambda folder: ((f"{name}:{index}", index) for index in range(num_pieces(folder.read(name))))


def num_pieces(content: bytes) -> int:
    """How many pieces a SentencePiece model has: its fields of number 1.

    Source:
        sentencepiece_model.proto, `repeated SentencePiece pieces = 1`, in protobuf's wire format.
    """
    at, count = 0, 0
    while at < len(content):
        tag, at = _varint(content, at)
        if tag & 7 != 2:
            raise ValueError("no message of messages")
        size, at = _varint(content, at)
        at += size
        count += tag >> 3 == 1
    return count


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("no number")


_READERS: dict[str, Callable[[TeacherFolder], Iterator[tuple[str, Any]]]] = {
    "vocab.txt": _of_lines,
    "vocab.json": _of_table("vocab.json"),
    **{name: _of_pieces(name) for name in ("sentencepiece.bpe.model", "spiece.model", "spm.model")},
    "tokenizer.json": _of_all,
    _ADDED: _of_table(_ADDED),
    TOKENIZER_CONFIG: _of_settings,
}
"""From each file that says so to tokens and their ids."""
