import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import architecture
from limits import file_size_limit
from searches import facts_of

from ose.core.exports import MANIFEST
from ose.errors import ConflictError, StorageError, TeacherError
from ose.families.bert.model import build_student
from ose.runtimes.torch.export import export_student
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer
from ose.tasks.registry import load_task

SHAPE = architecture(2, 2, 16, 24)
FILL_MASK = load_task("fill_mask")


def manifest() -> dict[str, Any]:
    return {"job": {"name": "tiny search"}}


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory, sharp_roberta: Path) -> Path:
    """A student's folder as a distillation leaves it."""
    folder = tmp_path_factory.mktemp("student")
    build_student(load_masked_lm(sharp_roberta).config, SHAPE, "fill_mask", seed=0).save_pretrained(folder)
    load_tokenizer(sharp_roberta).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory, student: Path) -> Path:
    folder = tmp_path_factory.mktemp("export") / "deep" / "export"
    export_student(FILL_MASK, student, folder, manifest(), "# a student\n")
    return folder


PLAIN_TRANSFORMERS = """
import json, sys, warnings
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer
model, tokenizer = AutoModelForMaskedLM.from_pretrained(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[1])
with torch.no_grad():
    logits = model.eval()(**tokenizer("Return the <mask> of the list.", return_tensors="pt")).logits
torch.save(logits, sys.argv[2])
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in ("ose", "workers"))))
"""


@pytest.mark.processes
def test_plain_transformers_loads_the_export_and_gives_the_students_logits(
    student: Path, export: Path, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_TRANSFORMERS, export, tmp_path / "logits.pt"],
        cwd=tmp_path,
        env={**environment, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []
    encoded = load_tokenizer(student)("Return the <mask> of the list.", return_tensors="pt")
    with torch.no_grad():
        expected = load_masked_lm(student)(**encoded).logits
    torch.testing.assert_close(torch.load(tmp_path / "logits.pt"), expected, rtol=0, atol=1e-5)


def test_an_export_holds_weights_tokenizer_manifest_and_card(export: Path) -> None:
    names = {file.name for file in export.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", MANIFEST, "README.md"} <= names
    assert not any(name.endswith((".bin", ".pt", ".py")) for name in names)
    assert json.loads((export / MANIFEST).read_text()) == manifest()
    assert (export / "README.md").read_text() == "# a student\n"


def test_an_export_is_a_teacher_again(export: Path) -> None:
    facts = facts_of(export)
    assert facts.architecture == SHAPE
    assert facts.can_be_inherited


def test_the_summary_tells_what_was_written(student: Path, tmp_path: Path) -> None:
    summary = export_student(FILL_MASK, student, tmp_path / "export", manifest(), "card")
    assert summary.folder == str(tmp_path / "export")
    assert summary.architecture == SHAPE
    assert summary.size_bytes == (tmp_path / "export" / "model.safetensors").stat().st_size
    assert summary.max_logit_difference <= 1e-5


def test_an_empty_folder_is_filled(student: Path, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    export_student(FILL_MASK, student, tmp_path / "export", manifest(), "card")
    assert (tmp_path / "export" / MANIFEST).exists()


def test_a_folder_with_something_in_it_is_left_alone(student: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match="exists already and is not empty; choose another --output"):
        export_student(FILL_MASK, student, tmp_path, manifest(), "card")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(student: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConflictError):
        export_student(FILL_MASK, student, tmp_path / "file", manifest(), "card")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_working_directory_cannot_be_replaced(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConflictError, match="name a folder inside it"):
        export_student(FILL_MASK, student, Path("."), manifest(), "card")
    export_student(FILL_MASK, student, Path("inside"), manifest(), "card")
    assert (tmp_path / "inside" / MANIFEST).exists()


def test_a_disk_that_is_full_leaves_nothing(student: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"), file_size_limit(20_000):
        export_student(FILL_MASK, student, tmp_path / "export", manifest(), "card")
    assert list(tmp_path.iterdir()) == []


def test_a_student_that_is_damaged_is_refused(student: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(student, tmp_path / "student"))
    (damaged / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(TeacherError):
        export_student(FILL_MASK, damaged, tmp_path / "export", manifest(), "card")
    assert not (tmp_path / "export").exists()
