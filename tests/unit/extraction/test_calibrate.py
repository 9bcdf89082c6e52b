from pathlib import Path

import pytest
import torch
from builders import architecture
from searches import calibration_request, evaluate_task
from transformers import PreTrainedModel

from ose.core.inheritance import InheritanceSpec
from ose.core.messages import CalibrationRequest, DataRequest
from ose.distillation.candidate_evaluation import evaluate_candidate
from ose.extraction.calibrate import open_calibration, prepare_calibration
from ose.extraction.calibration import Calibration
from ose.extraction.initial import Start
from ose.tasks.fill_mask.search_data import load_search_data

SMALL = architecture(2, 2, 16, 24)


def sixteen(folder: Path, search: DataRequest, **changes: bool) -> CalibrationRequest:
    return calibration_request(folder, search, num_sequences=16, **changes)


@pytest.fixture(scope="module")
def calibration(search: DataRequest, teacher: PreTrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    folder = tmp_path_factory.mktemp("calibration")
    prepare_calibration(sixteen(folder, search, eliminates_layers=True), teacher)
    return open_calibration(folder)


def test_it_is_measured_once(search: DataRequest, teacher: PreTrainedModel, tmp_path: Path) -> None:
    prepare_calibration(sixteen(tmp_path, search), teacher)
    [file] = tmp_path.glob("*.safetensors")
    written = file.stat().st_mtime_ns
    prepare_calibration(sixteen(tmp_path, search), teacher)
    assert file.stat().st_mtime_ns == written


def test_the_order_of_layers_is_measured_when_it_is_asked_for(
    search: DataRequest, teacher: PreTrainedModel, tmp_path: Path
) -> None:
    prepare_calibration(sixteen(tmp_path, search), teacher)
    assert "layers.elimination" not in open_calibration(tmp_path).importance
    prepare_calibration(sixteen(tmp_path, search, eliminates_layers=True), teacher)
    assert sorted(open_calibration(tmp_path).importance["layers.elimination"].tolist()) == [0, 1, 2, 3]
    written = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    prepare_calibration(sixteen(tmp_path, search, eliminates_layers=True), teacher)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == written


def test_it_is_a_function_of_teacher_and_text(
    search: DataRequest, teacher: PreTrainedModel, calibration: Calibration, tmp_path: Path
) -> None:
    prepare_calibration(sixteen(tmp_path, search), teacher)
    again = open_calibration(tmp_path)
    assert torch.equal(again.normalized, calibration.normalized)
    assert len(calibration.input_ids) == 16


def test_a_student_extracted_with_it_starts_nearer_to_the_teacher(
    search: DataRequest, teacher: PreTrainedModel, calibration: Calibration
) -> None:
    data = load_search_data(Path(search.folder))
    rates = {"learning_rate": 1e-9}
    chosen = evaluate_task(search, SMALL, inheritance=InheritanceSpec(), hyperparameters=rates, num_steps=1)
    leading = evaluate_task(search, SMALL, hyperparameters=rates, num_steps=1)
    started = evaluate_candidate(chosen, teacher, data, calibration)
    assert started.loss_nats < evaluate_candidate(leading, teacher, data).loss_nats
    assert started.teacher_layers == tuple(
        sorted(calibration.importance["layers.elimination"].topk(2).indices.tolist())
    )


@pytest.mark.parametrize("rule", ["influence", "ablation", "elimination"])
def test_the_layers_kept_are_those_that_matter(rule: str, calibration: Calibration) -> None:
    start = Start(
        initialization="inherit",
        inheritance=InheritanceSpec(layers=rule),
        seed=0,
        calibration=calibration,
        task="fill_mask",
    )
    scores = calibration.importance[f"layers.{rule}"]
    assert start.layers(4, 2) == tuple(sorted(scores.topk(2).indices.tolist()))
    assert (
        Start(
            initialization="random", inheritance=InheritanceSpec(), seed=0, calibration=None, task="fill_mask"
        ).layers(4, 2)
        is None
    )
