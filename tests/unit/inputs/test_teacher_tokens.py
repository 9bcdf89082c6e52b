import json
from pathlib import Path
from typing import Any

import pytest

from ose.errors import TeacherError
from ose.inputs.teacher_tokens import num_pieces, require_tokenizer
from ose.tasks.teacher_folder import TeacherFolder

WORDS = ["<pad>", "<unk>", "the", "of"]


def put(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, "config.json", {"pad_token_id": 0})
    put(tmp_path, "vocab.txt", "\n".join(WORDS))
    return tmp_path


def refusal(folder: Path, vocab_size: int = 4) -> str:
    with pytest.raises(TeacherError) as refused:
        require_tokenizer(TeacherFolder(folder), vocab_size)
    return str(refused.value)


def test_as_many_rows_as_words_are_enough_and_more_too(folder: Path) -> None:
    require_tokenizer(TeacherFolder(folder), 4)
    require_tokenizer(TeacherFolder(folder), 64)


def pieces(count: int) -> bytes:
    """A SentencePiece model of so many pieces, and a field of another number as theirs have."""
    piece = b"\n\x03abc\x15\x00\x00\x80\xbf"
    return (b"\n" + bytes([len(piece)]) + piece) * count + b"\x12\x02ab"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.txt", "\n".join([*WORDS, "new"])),
        ("vocab.json", {"the": 4}),
        ("added_tokens.json", {"<new>": 4}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"4": {"content": "<new>"}}}),
        ("tokenizer.json", {"model": {"vocab": {"the": 1}}, "added_tokens": [{"content": "<new>", "id": 4}]}),
        ("tokenizer.json", {"model": {"vocab": [["a", -1.0]] * 5}}),
        ("spm.model", pieces(5).decode("latin1")),
    ],
)
def test_a_token_without_a_row_is_found_in_any_file(folder: Path, name: str, content: Any) -> None:
    if name.endswith(".model"):
        (folder / name).write_bytes(pieces(5))
    else:
        put(folder, name, content)
    assert f"token ids up to 4, the model's vocabulary ends before 4 ({name}); they do not belong" in refusal(folder)


@pytest.mark.parametrize("content", [b"\x00", b"\n", b"abc", b"\xff" * 12])
def test_what_is_no_sentencepiece_model_is_told(folder: Path, content: bytes) -> None:
    (folder / "spm.model").write_bytes(content)
    assert refusal(folder).endswith("spm.model is no tokenizer's file")


def test_pieces_are_counted() -> None:
    assert [num_pieces(pieces(count)) for count in (0, 1, 300)] == [0, 1, 300]


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json"])
@pytest.mark.parametrize("token", ["<unk>", {"content": "<unk>", "lstrip": False}])
def test_padding_has_one_id(folder: Path, name: str, token: object) -> None:
    put(folder, name, {"pad_token": "<pad>"})
    require_tokenizer(TeacherFolder(folder), 4)
    put(folder, name, {"pad_token": token})
    assert "padding is token 1 ('<unk>') to the tokenizer and pad_token_id 0 to config.json" in refusal(folder)
    put(folder, "config.json", {})
    require_tokenizer(TeacherFolder(folder), 4)  # the class's own default, which config.json does not tell


def test_a_file_of_another_form_and_none_at_all_are_told(folder: Path) -> None:
    put(folder, "tokenizer.json", {"model": 3})
    assert refusal(folder).endswith("tokenizer.json is no tokenizer's file")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").unlink()
    assert "has no tokenizer" in refusal(folder)
