import json
import shutil
from pathlib import Path

import pytest
from limits import file_size_limit

from ose.errors import StorageError
from ose.runtimes.torch.saver import SAVER
from ose.tasks.fill_mask.teacher import load_masked_lm


def test_class_and_part_lie_beside_the_weights(tiny_bert: Path, tmp_path: Path) -> None:
    SAVER.save(load_masked_lm(tiny_bert), "model", tmp_path, "float32")
    described = json.loads((tmp_path / "ose_model.json").read_text())
    assert described == {
        "module": "transformers.models.bert.modeling_bert",
        "class": "BertForMaskedLM",
        "part": "model",
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors", "ose_model.json"]


def test_a_full_disk_is_told_in_one_line(tiny_bert: Path, tmp_path: Path) -> None:
    model = load_masked_lm(tiny_bert)
    with file_size_limit(50_000), pytest.raises(StorageError):
        SAVER.save(model, "model", tmp_path, "float32")


def test_a_folder_that_has_gone_is_told(tiny_bert: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    with pytest.raises(StorageError, match="could not be written"):
        SAVER.save(load_masked_lm(tiny_bert), "model", tmp_path, "float32")
