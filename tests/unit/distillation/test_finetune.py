"""Covers ose/tasks/labelled.py."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from events import read_curves
from labelled import QUICK, bracket_rows, corpus_of, finetuning, write_table

from ose.distillation.finetune import FinetuningRun, StepLoss, finetune
from ose.errors import InvalidInputError, NonFiniteLossError
from ose.tasks.labelled import load_labelled_task

NewRun = Callable[..., FinetuningRun]


class Curve(dict[int, float]):
    def __init__(self, interrupt_at: int | None = None) -> None:
        self._interrupt_at = interrupt_at

    def __call__(self, step: int, loss: StepLoss) -> None:
        if step == self._interrupt_at:
            raise KeyboardInterrupt
        self[step] = loss.total


@pytest.fixture
def new_run(tiny_bert: Path, real_text: list[str], tmp_path: Path) -> NewRun:
    rows = bracket_rows(real_text, 60)
    train, held_out = write_table(tmp_path / "a.csv", rows[:40]), write_table(tmp_path / "b.csv", rows[40:])
    request = finetuning(tiny_bert, corpus_of(train, held_out), tmp_path)
    request = replace(request, corpus_spec=replace(request.corpus_spec, sequence_length=32))
    task = load_labelled_task("text_classification")
    data = task.labelled_data(request, task.load_tokenizer(tiny_bert))

    def make(folder: str = "run", **changes: object) -> FinetuningRun:
        spec = replace(QUICK, **changes)
        return FinetuningRun(
            task=task,
            spec=spec,
            num_steps=spec.num_steps(len(data.train)),
            model=task.trainable_model(tiny_bert, data, spec.seed),
            batches=task.label_batches(data.train, spec),
            folder=tmp_path / folder,
        )

    return make


@pytest.mark.slow
@pytest.mark.parametrize("interrupt_at", [1, 4, 5], ids=["before any", "at", "just after"])
def test_an_interrupted_run_goes_on_along_the_same_curve(interrupt_at: int, new_run: NewRun) -> None:
    whole, curve = new_run("whole"), Curve()
    finetune(whole, curve)
    with pytest.raises(KeyboardInterrupt):
        finetune(new_run(), Curve(interrupt_at))
    run, resumed = new_run(), Curve()
    finetune(run, resumed)
    first = {1: 1, 4: 3, 5: 5}[interrupt_at]
    assert resumed == {step: loss for step, loss in curve.items() if step >= first}
    weights = whole.model.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in run.model.state_dict().items())


@pytest.mark.slow
def test_training_drops_out_what_the_configuration_says_and_judging_does_not(new_run: NewRun) -> None:
    def first_loss(folder: str, dropout: float) -> float:
        run, curve = new_run(folder, steps=1), Curve()
        for module in run.model.modules():
            if isinstance(module, torch.nn.Dropout):
                assert module.p == 0.1
                module.p = dropout
        finetune(run, curve)
        assert not run.model.training
        return curve[1]

    assert len({first_loss("a", 0.1), first_loss("b", 0.0)}) == 2
    assert first_loss("c", 0.1) == first_loss("d", 0.1)


@pytest.mark.slow
def test_the_seed_decides_head_order_and_dropout(new_run: NewRun) -> None:
    curves = [Curve() for _ in range(2)]
    for seed, curve in enumerate(curves):
        finetune(new_run(f"seed-{seed}", seed=seed), curve)
    assert not set(curves[0].values()) & set(curves[1].values())


@pytest.mark.slow
def test_labels_are_learnt_and_the_curve_is_written(new_run: NewRun) -> None:
    run, curve = new_run(steps=60, learning_rate=5e-3), Curve()
    finetune(run, curve)
    assert sum([*curve.values()][-10:]) < 0.75 * sum([*curve.values()][:10])
    assert read_curves(run.folder / "logs")["loss"][60] == pytest.approx(curve[60])


def test_a_training_that_diverges_is_one_line(new_run: NewRun) -> None:
    run = new_run()
    with torch.no_grad():
        run.model.classifier.bias.fill_(torch.inf)
    with pytest.raises(NonFiniteLossError, match=r"at step 1 of 6"):
        finetune(run, Curve())


def test_a_task_without_labels_is_one_line() -> None:
    with pytest.raises(InvalidInputError, match=r"fill_mask has no labels .* choose --task text_classification"):
        load_labelled_task("fill_mask")
