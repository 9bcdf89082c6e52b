"""Covers ose/training/loop.py, ose/data/epochs.py."""

import math
import time
from dataclasses import fields

import pytest
import torch
from distillations import Curve, NewRun
from events import read_curves
from limits import file_size_limit
from transformers import AutoModelForMaskedLM

from ose.distillation.module import StepLosses
from ose.distillation.run import distill, save_student
from ose.errors import StorageError
from ose.tasks.fill_mask.teacher import load_tokenizer


@pytest.mark.slow
@pytest.mark.parametrize("interrupt_at", [1, 6, 8, 9], ids=["before any", "between", "at", "just after"])
def test_an_interrupted_run_goes_on_along_the_same_curve(
    interrupt_at: int, new_run: NewRun, uninterrupted: tuple[Curve, dict[str, torch.Tensor]]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        distill(new_run(), Curve(interrupt_at))
    run, resumed = new_run(), Curve()
    distill(run, resumed)
    curve, weights = uninterrupted
    first = {1: 1, 6: 5, 8: 5, 9: 9}[interrupt_at]
    assert resumed == {step: losses for step, losses in curve.items() if step >= first}
    assert all(torch.equal(weight, weights[name]) for name, weight in run.student.state_dict().items())


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(
    new_run: NewRun, uninterrupted: tuple[Curve, dict[str, torch.Tensor]]
) -> None:
    first = distill(new_run(), Curve())
    run, again = new_run(), Curve()
    assert distill(run, again) == pytest.approx(first, abs=0.5)
    assert again == {}
    assert all(torch.equal(weight, uninterrupted[1][name]) for name, weight in run.student.state_dict().items())


@pytest.mark.slow
def test_wall_time_is_that_of_all_sessions(new_run: NewRun) -> None:
    def slow(step: int, losses: StepLosses) -> None:
        time.sleep(0.05)

    distill(new_run(steps=4, checkpoint_every=2), slow)
    longer = new_run(steps=6, checkpoint_every=2)
    assert distill(longer, slow) > 6 * 0.05


def test_curves_are_written_for_tensorboard(new_run: NewRun) -> None:
    run, curve = new_run(), Curve()
    with pytest.raises(KeyboardInterrupt):
        distill(run, Curve(interrupt_at=6))
    distill(new_run(), curve)
    curves = read_curves(run.folder / "logs")
    assert set(curves) == {"learning_rate", *(field.name for field in fields(StepLosses))}
    assert sorted(curves["total"]) == list(range(1, 11))
    assert curves["total"][10] == pytest.approx(curve[10].total, rel=1e-6)
    assert max(curves["learning_rate"].values()) == pytest.approx(5e-3)


@pytest.mark.slow
def test_a_disk_that_fills_under_a_checkpoint_leaves_the_one_before(
    new_run: NewRun, uninterrupted: tuple[Curve, dict[str, torch.Tensor]]
) -> None:
    run, curve = new_run(), Curve()

    def fill_up_after_five(step: int, losses: StepLosses) -> None:
        curve[step] = losses
        if step == 5:
            limit.__enter__()

    limit = file_size_limit(20_000)
    try:
        with pytest.raises(StorageError, match="step-00000008 could not be written"):
            distill(run, fill_up_after_five)
    finally:
        limit.__exit__(None, None, None)
    assert [each.name for each in (run.folder / "checkpoints").iterdir()] == ["step-00000004"]

    resumed_run, resumed = new_run(), Curve()
    distill(resumed_run, resumed)
    assert sorted(resumed) == list(range(5, 11))
    expected = uninterrupted[1]
    assert all(torch.equal(weight, expected[name]) for name, weight in resumed_run.student.state_dict().items())


def test_the_student_is_saved_with_its_tokenizer_and_facts(new_run: NewRun) -> None:
    run = new_run()
    folder = save_student(run, {"job": "job-1"})
    loaded = AutoModelForMaskedLM.from_pretrained(folder)
    assert all(torch.equal(w, run.student.state_dict()[n]) for n, w in loaded.state_dict().items())
    assert load_tokenizer(folder).get_vocab() == run.tokenizer.get_vocab()
    assert '"job-1"' in (folder / "distillation.json").read_text()


@pytest.mark.slow
def test_the_teacher_is_left_as_it_was(new_run: NewRun) -> None:
    run = new_run()
    before = {name: weight.clone() for name, weight in run.teacher.state_dict().items()}
    distill(run, Curve())
    assert all(torch.equal(weight, before[name]) for name, weight in run.teacher.state_dict().items())
    assert math.isfinite(sum(weight.sum().item() for weight in run.student.state_dict().values()))
