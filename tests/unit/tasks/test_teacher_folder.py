import os
import shutil
from pathlib import Path

import pytest

from ose.errors import TeacherError
from ose.tasks.teacher_folder import TeacherFolder


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> TeacherFolder:
    return TeacherFolder(Path(shutil.copytree(tiny_bert, tmp_path / "teacher")))


def test_other_files_are_no_part_of_a_teacher(folder: TeacherFolder) -> None:
    before = folder.digest()
    for name in ("README.md", "modeling.py", "chat_template.jinja", "adapter_config.json", "pytorch_model.bin"):
        os.mkfifo(folder.path / name)
    assert folder.digest() == before
    assert folder.names() == ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def test_each_of_its_files_changes_the_digest(folder: TeacherFolder) -> None:
    digests = {folder.digest()}
    for name in ("added_tokens.json", "entity_vocab.json", "vocab.txt"):
        (folder.path / name).write_text("{}")
        digests.add(folder.digest())
    assert len(digests) == 4


def test_a_file_may_have_a_bounded_size(folder: TeacherFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSE_MAX_TEACHER_FILE_BYTES", "1000")
    (folder.path / "vocab.txt").write_bytes(b"x" * 1000)
    assert len(folder.read("vocab.txt")) == 1000
    (folder.path / "vocab.txt").write_bytes(b"x" * 1001)
    with pytest.raises(TeacherError, match=r"more than 1,000 bytes \(OSE_MAX_TEACHER_FILE_BYTES\)"):
        folder.read("vocab.txt")


def test_a_root_holds_for_every_file(folder: TeacherFolder, tmp_path: Path) -> None:
    (folder.path / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    (folder.path / "tokenizer.json").symlink_to(tmp_path / "tokenizer.json")
    assert folder.read("tokenizer.json")
    with pytest.raises(TeacherError, match="leads out"):
        TeacherFolder(folder.path, root=folder.path).digest()
