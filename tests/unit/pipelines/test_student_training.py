from collections.abc import Callable

import pytest
import torch
from builders import architecture
from searches import PLAIN_START, evaluate_task
from transformers import PreTrainedModel

from ose.core.task import DataTask
from ose.models.teacher import load_masked_lm
from ose.pipelines import student_training
from ose.pipelines.evaluate import QueuedCandidate
from ose.pipelines.resident_data import make_resident
from ose.pipelines.search_data import SearchData
from ose.pipelines.start import initial_student
from ose.pipelines.student_training import StudentTraining
from ose.training.lane import Lane, repeat

SMALL = architecture(2, 2, 16, 24)


class Trained:
    """A student trained seven steps, its steps repeated as told."""

    def __init__(self, search: DataTask, teacher: PreTrainedModel, data: SearchData) -> None:
        task = evaluate_task(search, SMALL, num_steps=7, weight_clip=0.5, hyperparameters={"learning_rate": 1e-2})
        self.student = initial_student(teacher, task.architecture, PLAIN_START)
        self.training = StudentTraining(self.student, task, data)

    def run(self, record: Callable[[Callable[[], None]], Callable[[], None]] | None) -> list[torch.Tensor]:
        repeat(self.training._step, 7, record)
        return [torch.tensor(self.training.losses()), *self.student.parameters()]


def test_a_recording_given_up_half_way_changes_no_number(
    search: DataTask, teacher: PreTrainedModel, data: SearchData
) -> None:
    def fail_half_way(_: Callable[[], None]) -> Callable[[], None]:
        given_up.training._loss(torch.arange(8)).backward()
        raise RuntimeError("operation not permitted when stream is capturing")

    plain, given_up = Trained(search, teacher, data), Trained(search, teacher, data)
    expected, seen = plain.run(None), given_up.run(fail_half_way)
    assert all(torch.equal(one, other) for one, other in zip(seen, expected, strict=True))


def test_a_whole_candidate_is_queued_without_asking_the_device_for_a_number(
    search: DataTask, teacher: PreTrainedModel, data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meta tensors have no numbers, so whatever waits for one fails. The fused optimiser does not know them."""
    monkeypatch.setattr(
        student_training, "build_optimizer", lambda model, _, **__: torch.optim.SGD(model.parameters(), lr=0.1)
    )
    meta = torch.device("meta")
    nowhere = load_masked_lm(search.teacher.path).to(meta)
    task = evaluate_task(search, SMALL, num_steps=7, weight_clip=0.5)
    candidate = QueuedCandidate(task, nowhere, make_resident(data, meta), None, Lane(meta))
    with pytest.raises(NotImplementedError, match="no data"):
        candidate.evaluation()
