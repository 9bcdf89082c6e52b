"""Tests ose/extraction/initial.py and ose/tasks/fill_mask/held_out.py."""

import copy
import gc
import math
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import architecture
from models import masked_lm
from searches import LEADING, evaluate_task, fill
from transformers import PreTrainedModel

from ose.core.layer_choice import LayerChoice
from ose.core.measurement import Evaluation
from ose.core.messages import DataRequest, EvaluationRequest
from ose.distillation import candidate_evaluation
from ose.distillation.candidate_evaluation import evaluate_candidate, evaluate_together
from ose.distillation.candidate_training import StudentTraining
from ose.errors import InvalidInputError, NonFiniteLossError
from ose.extraction.initial import Start, initial_student
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.search_data import FillMaskData
from ose.tasks.judging import held_out_quality
from ose.tasks.registry import load_task
from ose.training.cuda_stream import CudaStream

OWN = architecture(4, 4, 32, 64)
SMALL = architecture(2, 2, 16, 24)


def without_times(evaluation: Evaluation) -> Evaluation:
    return replace(evaluation, wall_time_s=0, training_time_s=0, peak_memory_bytes=0)


def train_student(student: PreTrainedModel, task: EvaluationRequest, data: FillMaskData) -> list[float]:
    training = StudentTraining(student, task, data)
    training.run(CudaStream(student.device))
    return training.losses()


def start(teacher: PreTrainedModel, task: EvaluationRequest) -> PreTrainedModel:
    how = Start(
        initialization=task.initialization,
        inheritance=task.inheritance,
        seed=task.seed,
        calibration=None,
        task="fill_mask",
    )
    return initial_student(teacher, task.architecture, how)


@pytest.mark.parametrize("initialization", ["inherit", "random"])
def test_the_same_task_gives_the_same_numbers(
    initialization: str, search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    task = evaluate_task(search, SMALL, initialization=initialization)
    first = evaluate_candidate(task, teacher, data)
    torch.rand(3)
    assert without_times(evaluate_candidate(task, teacher, data)) == without_times(first)


def test_bfloat16_trains_along_the_same_curve(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    curves = []
    for precision in ("float32", "bfloat16"):
        task = evaluate_task(search, SMALL, num_steps=8, precision=precision, hyperparameters={"learning_rate": 1e-3})
        student = start(teacher, task)
        curves.append(train_student(student, task, data))
        assert {weight.dtype for weight in student.parameters()} == {torch.float32}
    assert curves[0] != curves[1] == pytest.approx(curves[0], rel=2e-3)


def test_the_layers_asked_for_are_kept_and_told(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    def evaluated(layers: LayerChoice, **changes: object) -> Evaluation:
        task = evaluate_task(search, SMALL, num_steps=1, inheritance=replace(LEADING, layers=layers), **changes)
        return evaluate_candidate(task, teacher, data)

    by_rule, by_list, other = evaluated("distilbert"), evaluated((0, 3)), evaluated("top")
    assert by_rule.teacher_layers == by_list.teacher_layers == (0, 3)
    assert other.teacher_layers == (2, 3)
    assert by_rule.loss_nats == by_list.loss_nats != other.loss_nats
    assert evaluated("top", initialization="random").teacher_layers is None


def test_the_seed_decides_random_weights(search: DataRequest, teacher: PreTrainedModel, data: FillMaskData) -> None:
    losses = {
        evaluate_candidate(
            evaluate_task(search, SMALL, initialization="random", seed=seed, num_steps=1), teacher, data
        ).loss_nats
        for seed in (0, 1)
    }
    assert len(losses) == 2


def test_the_teachers_own_shape_starts_at_the_teachers_entropy(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    task = evaluate_task(search, OWN, hyperparameters={"learning_rate": 1e-30})
    evaluation = evaluate_candidate(task, teacher, data)
    quality = fill(search)
    assert evaluation.loss_nats == pytest.approx(quality.entropy_nats, abs=1e-3)
    assert evaluation.loss_stderr_nats == pytest.approx(quality.entropy_stderr_nats, rel=0.01)
    of_teacher = quality.metrics["masked_lm_loss_nats"].value
    assert evaluation.metrics["masked_lm_loss_nats"].value == pytest.approx(of_teacher, abs=1e-4)
    assert evaluation.metrics["masked_accuracy"] == quality.metrics["masked_accuracy"]


def test_no_student_is_nearer_to_the_teacher_than_the_teacher(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    evaluation = evaluate_candidate(evaluate_task(search, SMALL), teacher, data)
    assert evaluation.loss_nats > fill(search).entropy_nats + 0.01


def test_an_evaluation_is_consistent(search: DataRequest, teacher: PreTrainedModel, data: FillMaskData) -> None:
    evaluation = evaluate_candidate(evaluate_task(search, SMALL, num_steps=5), teacher, data)
    losses = torch.tensor(evaluation.sequence_losses_nats, dtype=torch.float64)
    assert len(losses) == len(data.held_out.input_ids)
    assert evaluation.loss_nats == pytest.approx(losses.mean().item())
    assert evaluation.loss_stderr_nats == pytest.approx((losses.std() / math.sqrt(len(losses))).item())
    assert evaluation.num_steps == len(evaluation.training_losses_nats) == 5
    assert 0 < evaluation.training_time_s < evaluation.wall_time_s
    assert evaluation.peak_memory_bytes > 50e6


def test_the_held_out_loss_is_that_of_the_whole_distributions(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    student = start(teacher, evaluate_task(search, SMALL))
    quality = held_out_quality(load_task("fill_mask"), student, data)
    with torch.no_grad():
        ours = logits_at(student, data.held_out.input_ids, data.held_out.positions).double().log_softmax(-1)
        theirs = logits_at(teacher, data.held_out.input_ids, data.held_out.positions).double().softmax(-1)
    assert quality.loss_nats == pytest.approx(-(theirs * ours).sum(-1).mean().item(), abs=1e-3)


def test_more_steps_bring_a_student_nearer(search: DataRequest, teacher: PreTrainedModel, data: FillMaskData) -> None:
    few, many = (
        evaluate_candidate(
            evaluate_task(
                search,
                SMALL,
                num_steps=steps,
                initialization="random",
                hyperparameters={"learning_rate": 1e-2, "batch_size": 16},
            ),
            teacher,
            data,
        )
        for steps in (2, 40)
    )
    assert many.loss_nats < few.loss_nats - 0.3
    assert many.training_losses_nats[-1] < many.training_losses_nats[0] - 0.3


@pytest.mark.parametrize("shape", [SMALL, architecture(1, 4, 32, 8)])
def test_every_architecture_sees_the_same_batches_in_the_same_order(
    shape: object, search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    task = evaluate_task(search, shape, num_steps=7)
    student = start(teacher, task)
    seen: list[torch.Tensor] = []
    student.base_model.register_forward_pre_hook(lambda *call: seen.append(call[2]["input_ids"]), with_kwargs=True)
    train_student(student, task, data)
    repeated = data.train.input_ids.repeat(2, 1)[: 7 * 8]  # 40 sequences: the sixth batch begins anew
    assert torch.equal(torch.cat(seen), repeated)


def test_a_training_that_diverges_is_told(search: DataRequest, teacher: PreTrainedModel, data: FillMaskData) -> None:
    task = evaluate_task(search, SMALL, num_steps=4, hyperparameters={"learning_rate": 1e30})
    with pytest.raises(NonFiniteLossError, match=r"the loss is (nan|inf) at step [234] of 4"):
        evaluate_candidate(task, teacher, data)


def test_a_last_step_that_diverges_is_told_too(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    task = evaluate_task(search, SMALL, num_steps=1, hyperparameters={"learning_rate": 1e30})
    with pytest.raises(NonFiniteLossError, match="the held-out loss is"):
        evaluate_candidate(task, teacher, data)


def test_clipped_weights_stay_in_their_bounds(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    task = evaluate_task(search, SMALL, weight_clip=0.05)
    student = start(teacher, task)
    assert max(parameter.abs().max() for parameter in student.parameters()) > 0.5
    train_student(student, task, data)
    largest = max(parameter.abs().max() for parameter in student.parameters())
    assert largest.item() == pytest.approx(0.05)


def test_a_student_larger_than_its_teacher_cannot_inherit(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    with pytest.raises(InvalidInputError, match="its num_hidden_layers is larger"):
        evaluate_candidate(evaluate_task(search, architecture(5, 4, 32, 64)), teacher, data)
    task = evaluate_task(search, architecture(5, 4, 32, 64), initialization="random", num_steps=1)
    assert math.isfinite(evaluate_candidate(task, teacher, data).loss_nats)


def test_the_teacher_is_left_as_it_was(search: DataRequest, teacher: PreTrainedModel, data: FillMaskData) -> None:
    before = copy.deepcopy(teacher.state_dict())
    evaluate_candidate(evaluate_task(search, OWN), teacher, data)
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.state_dict().items())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_a_teacher_of_another_class_is_learnt_from(search: DataRequest, data: FillMaskData, tmp_path: Path) -> None:
    teacher = masked_lm("distilbert")
    train = replace(data.train, input_ids=data.train.input_ids[:, :20] % 40, positions=data.train.positions % 20)
    held_out = replace(
        data.held_out,
        input_ids=data.held_out.input_ids[:, :20] % 40,
        positions=data.held_out.positions % 20,
        labels=data.held_out.labels % 40,
    )
    with torch.no_grad():
        log_probs = logits_at(teacher, held_out.input_ids, held_out.positions).log_softmax(-1)
        probabilities = logits_at(teacher, train.input_ids, train.positions).softmax(-1)
    draws = torch.multinomial(probabilities.flatten(0, 1), 8, replacement=True).view(*probabilities.shape[:2], 8)
    theirs = FillMaskData(train, [draws.numpy()], held_out, log_probs.numpy())
    task = evaluate_task(search, SMALL, initialization="random", num_steps=20, hyperparameters={"learning_rate": 1e-2})
    evaluation = evaluate_candidate(task, teacher, theirs)
    assert evaluation.training_losses_nats[-1] < evaluation.training_losses_nats[0]


@pytest.mark.parametrize("at_once", [1, 3])
def test_several_at_once_give_what_one_after_another_gives(
    at_once: int, search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    shapes = [SMALL, OWN, architecture(1, 4, 32, 8), architecture(3, 2, 24, 10)]
    tasks = [evaluate_task(search, shape, num_steps=5) for shape in shapes]
    together = list(evaluate_together(tasks, teacher, data, at_once=at_once))
    assert [task for task, _ in together] == tasks
    for task, outcome in together:
        assert isinstance(outcome, Evaluation)
        assert without_times(outcome) == without_times(evaluate_candidate(task, teacher, data))


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_candidate_that_fails_takes_no_other_along(
    at_once: int, search: DataRequest, teacher: PreTrainedModel, data: FillMaskData
) -> None:
    sound = evaluate_task(search, SMALL)
    too_deep = evaluate_task(search, architecture(5, 4, 32, 64))
    diverging = evaluate_task(search, SMALL, num_steps=4, hyperparameters={"learning_rate": 1e30})
    broken_at_the_end = evaluate_task(search, SMALL, num_steps=1, hyperparameters={"learning_rate": 1e30})
    tasks = [sound, too_deep, diverging, sound, broken_at_the_end, sound]
    outcomes = [outcome for _, outcome in evaluate_together(tasks, teacher, data, at_once=at_once)]
    expected = without_times(evaluate_candidate(sound, teacher, data))
    assert [without_times(outcomes[index]) for index in (0, 3, 5)] == [expected] * 3
    assert [type(outcomes[index]) for index in (1, 2, 4)] == [InvalidInputError, NonFiniteLossError, NonFiniteLossError]


def test_a_finished_candidate_leaves_no_model_behind(
    search: DataRequest, teacher: PreTrainedModel, data: FillMaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU has no room for students that wait for the garbage collector."""
    students: list[weakref.ref[PreTrainedModel]] = []

    def remembered(*arguments: object) -> PreTrainedModel:
        student = initial_student(*arguments)
        students.append(weakref.ref(student))
        return student

    monkeypatch.setattr(candidate_evaluation, "initial_student", remembered)
    gc.disable()
    try:
        for _ in evaluate_together([evaluate_task(search, SMALL)] * 3, teacher, data, at_once=1):
            pass
        assert [student() for student in students] == [None] * 3
    finally:
        gc.enable()
