from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import architecture
from searches import PLAIN_START, evaluate_task
from transformers import PreTrainedModel

from ose.core.measurement import Evaluation
from ose.core.messages import CheckpointFiles, DataRequest, EvaluationRequest
from ose.distillation import candidate_training
from ose.distillation.candidate_evaluation import QueuedCandidate, evaluate_candidate
from ose.distillation.candidate_training import StudentTraining
from ose.extraction.initial import initial_student
from ose.tasks.fill_mask.resident_data import make_resident
from ose.tasks.fill_mask.search_data import FillMaskData
from ose.tasks.fill_mask.teacher import load_masked_lm
from ose.tasks.registry import load_task
from ose.training.cuda_stream import CudaStream, repeat

SMALL = architecture(2, 2, 16, 24)


class Trained:
    """A student trained seven steps, its steps repeated as told."""

    def __init__(self, search: DataRequest, teacher: PreTrainedModel, data: FillMaskData) -> None:
        task = evaluate_task(search, SMALL, num_steps=7, weight_clip=0.5, hyperparameters={"learning_rate": 1e-2})
        self.student = initial_student(teacher, task.architecture, PLAIN_START)
        self.training = StudentTraining(self.student, task, data)

    def run(self, record: Callable[[Callable[[], None]], Callable[[], None]] | None) -> list[torch.Tensor]:
        repeat(self.training._step, 7, record)
        return [torch.tensor(self.training.losses()), *self.student.parameters()]


def test_a_recording_given_up_half_way_changes_no_number(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    def fail_half_way(_: Callable[[], None]) -> Callable[[], None]:
        task.loss(given_up.student, data, torch.arange(8), "float32").backward()
        raise RuntimeError("operation not permitted when stream is capturing")

    task = load_task("fill_mask")
    plain, given_up = Trained(search, teacher, data), Trained(search, teacher, data)
    expected, seen = plain.run(None), given_up.run(fail_half_way)
    assert all(torch.equal(one, other) for one, other in zip(seen, expected, strict=True))


@pytest.mark.slow
def test_a_whole_candidate_is_queued_without_asking_the_device_for_a_number(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meta tensors have no numbers, so whatever waits for one fails. The fused optimiser does not know them."""
    monkeypatch.setattr(
        candidate_training, "build_optimizer", lambda model, _, **__: torch.optim.SGD(model.parameters(), lr=0.1)
    )
    meta = torch.device("meta")
    nowhere = load_masked_lm(search.teacher.path).to(meta)
    nowhere.tie_weights()  # on this device each parameter has become one of its own
    task = evaluate_task(search, SMALL, num_steps=7, weight_clip=0.5)
    candidate = QueuedCandidate(task, nowhere, make_resident(data, meta), None, CudaStream(meta))
    with pytest.raises(NotImplementedError, match="no data"):
        candidate.evaluation()


def legs_task(search: DataRequest, folder: Path, *phases: int, **changes: object) -> EvaluationRequest:
    """A candidate whose weights are kept in `folder` at the end of each phase."""
    files = [str(folder / f"{'-'.join(map(str, phases[: number + 1]))}.safetensors") for number in range(len(phases))]
    checkpoints = CheckpointFiles(earlier=tuple(files[:-1]), last=files[-1], loss_at_most=float("inf"))
    values = {"hyperparameters": {"learning_rate": 1e-2}, "checkpoints": checkpoints, **changes}
    return evaluate_task(search, SMALL, num_steps=phases[-1], earlier_phases=phases[:-1], **values)


def numbers(evaluation: Evaluation) -> Evaluation:
    return replace(evaluation, wall_time_s=0, training_time_s=0, peak_memory_bytes=0, first_step=0)


@pytest.mark.parametrize("initialization", ["inherit", "random"])
def test_phases_give_the_same_numbers_whatever_is_left_of_the_earlier_ones(
    initialization: str, search: DataRequest, teacher: PreTrainedModel, data: FillMaskData, tmp_path: Path
) -> None:
    def evaluated(*phases: int, folder: Path = tmp_path) -> Evaluation:
        task = legs_task(search, folder, *phases, initialization=initialization, weight_clip=0.5)
        return evaluate_candidate(task, teacher, data)

    in_one_go = evaluated(2, 5, 9, folder=tmp_path / "empty")
    first, second, third = evaluated(2), evaluated(2, 5), evaluated(2, 5, 9)
    assert [each.first_step for each in (in_one_go, first, second, third)] == [0, 0, 2, 5]
    assert numbers(third) == numbers(in_one_go)
    assert len(third.training_losses_nats) == 9
    assert third.training_losses_nats[:5] == second.training_losses_nats
    (tmp_path / "2-5.safetensors").unlink()
    (tmp_path / "2-5-9.safetensors").unlink()
    again = evaluated(2, 5, 9)
    assert again.first_step == 2
    assert numbers(again) == numbers(in_one_go)


def test_each_phase_warms_up_and_decays_for_itself(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    in_phases, at_once = (
        evaluate_candidate(evaluate_task(search, SMALL, num_steps=6, earlier_phases=phases), teacher, data)
        for phases in ((3,), ())
    )
    assert in_phases.training_losses_nats[:2] == at_once.training_losses_nats[:2]  # before a rate has differed
    assert in_phases.loss_nats != at_once.loss_nats


@pytest.mark.parametrize(("bound", "is_kept"), [(-1.0, False), (0.0, True), (1.0, True)])
def test_weights_are_kept_only_where_the_loss_is_low_enough(
    bound: float, is_kept: bool, search: DataRequest, teacher: PreTrainedModel, data: FillMaskData, tmp_path: Path
) -> None:
    loss = evaluate_candidate(legs_task(search, tmp_path / "other", 2), teacher, data).loss_nats
    task = legs_task(search, tmp_path, 2)
    assert task.checkpoints is not None
    checkpoints = replace(task.checkpoints, loss_at_most=loss + bound)
    evaluate_candidate(replace(task, checkpoints=checkpoints), teacher, data)
    assert (tmp_path / "2.safetensors").exists() == is_kept


def test_a_folder_that_cannot_be_written_costs_no_result(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    task = legs_task(search, tmp_path / "file", 2)
    evaluation = evaluate_candidate(task, teacher, data)
    assert numbers(evaluation) == numbers(evaluate_candidate(replace(task, checkpoints=None), teacher, data))
    assert "weights are not kept" in caplog.text
