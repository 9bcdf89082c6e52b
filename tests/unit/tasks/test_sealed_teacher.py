import json
import os
import shutil
from pathlib import Path

import pytest

from ose.errors import TeacherError
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer
from ose.tasks.sealed_teacher import sealed_teacher
from ose.tasks.teacher_folder import TeacherFolder


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bert, tmp_path / "teacher"))


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_only_the_teachers_files_are_shown_and_none_stays(folder: Path) -> None:
    for name in ("modeling.py", "adapter_config.json", "chat_template.jinja"):
        (folder / name).write_text("{}")
    with sealed_teacher(folder) as shown:
        assert sorted(file.name for file in shown.iterdir()) == sorted(TeacherFolder(folder).names())
        assert (shown / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert not shown.exists()


def test_weights_stay_what_they_were_while_they_are_loaded(folder: Path, tmp_path: Path) -> None:
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    with sealed_teacher(folder) as shown:
        weights.unlink()
        weights.symlink_to(tmp_path / "elsewhere")
        assert (shown / "model.safetensors").read_bytes() == content


@pytest.mark.parametrize("load", [load_masked_lm, load_tokenizer])
def test_another_teacher_than_was_checked_is_not_loaded(folder: Path, load: object) -> None:
    digest = TeacherFolder(folder).digest()
    assert load(folder, digest)  # type: ignore[operator]
    (folder / "vocab.txt").write_text("[PAD]\n")
    with pytest.raises(TeacherError, match="not the teacher that it was"):
        load(folder, digest)  # type: ignore[operator]


def test_a_tokenizer_reads_no_file_that_its_settings_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nsecret\n")
    expected = load_tokenizer(folder).get_vocab()
    edit(folder / "tokenizer_config.json", vocab=str(tmp_path / "secret.txt"), vocab_file=str(tmp_path / "secret.txt"))
    edit(folder / "tokenizer_config.json", fast_tokenizer_files=["../tokenizer.1.json"])
    shutil.copy(folder / "tokenizer.json", tmp_path / "tokenizer.1.json")
    assert load_tokenizer(folder).get_vocab() == expected
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplain\n")
    assert "plain" in load_tokenizer(folder).get_vocab() and "secret" not in load_tokenizer(folder).get_vocab()


def test_a_model_reads_no_file_that_its_settings_name(folder: Path) -> None:
    before = load_masked_lm(folder).state_dict()
    (folder / "other.safetensors").write_bytes(b"no weights")
    edit(folder / "config.json", transformers_weights="other.safetensors", configuration_files=["config.1.json"])
    after = load_masked_lm(folder).state_dict()
    assert before.keys() == after.keys() and all((before[key] == after[key]).all() for key in before)


def test_what_is_saved_again_tells_nothing_of_the_private_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "chat_template.jinja").symlink_to("/etc/hostname")
    load_tokenizer(folder).save_pretrained(tmp_path / "saved")
    load_masked_lm(folder).save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved" / "chat_template.jinja").exists()
    assert not [file for file in (tmp_path / "saved").iterdir() if b"ose-teacher-" in file.read_bytes()]


def test_a_pipe_is_refused_where_files_are_loaded_too(folder: Path) -> None:
    os.mkfifo(folder / "added_tokens.json")
    for load in (load_masked_lm, load_tokenizer):
        with pytest.raises(TeacherError, match="no file but a pipe"):
            load(folder)
