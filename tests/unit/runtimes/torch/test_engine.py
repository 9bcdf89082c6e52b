import json
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import architecture
from saved_models import saved
from searches import facts_of

from ose.core.measurement import LatencyProtocol
from ose.errors import DependencyError
from ose.families.bert.model import build_blank_student
from ose.runtimes.noise import fill_with_noise
from ose.runtimes.torch.engine import ENGINE
from ose.tasks.loading import load_config

PROTOCOL = LatencyProtocol(sequence_length=16)


@pytest.fixture
def folder(tiny_roberta: Path, tmp_path: Path) -> Path:
    return Path(
        saved(tmp_path / "model", facts_of(tiny_roberta), architecture(2, 2, 16, 24), PROTOCOL).reference.folder
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(DependencyError, match="cuda:0, but torch sees no GPU here"):
        ENGINE.open(folder, LatencyProtocol(device="cuda:0"))
    with pytest.raises(DependencyError, match="cuda:0, but torch sees no GPU here"):
        ENGINE.accelerator("cuda:0")


def test_a_model_without_weights_runs_with_noise_and_always_the_same(folder: Path, tiny_roberta: Path) -> None:
    student = build_blank_student(load_config(tiny_roberta), architecture(2, 2, 16, 24), "fill_mask", "cpu")
    fill_with_noise(student.base_model)
    input_ids = np.full((1, 4), 20)
    with torch.inference_mode():
        expected = student.base_model(input_ids=torch.from_numpy(input_ids))[0].numpy()
    for _ in range(2):
        np.testing.assert_array_equal(ENGINE.open(folder, PROTOCOL).output(input_ids), expected)


def test_nothing_but_a_model_of_transformers_is_built(folder: Path) -> None:
    (folder / "ose_model.json").write_text(json.dumps({"module": "pathlib", "class": "Path", "part": "encoder"}))
    with pytest.raises(TypeError, match=r"pathlib\.Path is no model of transformers"):
        ENGINE.open(folder, PROTOCOL)


def test_the_cpu_has_no_other_name() -> None:
    assert ENGINE.accelerator("cpu") is None
