"""Full distillation of a classifier: first on text without labels, then on its task, whose texts are changed.

Tests ose/distillation/run.py, ose/distillation/curve.py and ose/tasks/text_classification/task.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import NOW, architecture, job_spec
from classifiers import put_labelled
from searches import data_task, targets_tasks

from ose.artifacts.step_folders import CHECKPOINTS, GENERAL_CHECKPOINTS
from ose.core.augmentation import AugmentationSpec
from ose.core.inheritance import InheritanceSpec
from ose.core.job import Job, JobStatus
from ose.core.messages import DataRequest
from ose.core.presets import preset_spec
from ose.core.spec import SearchSpec
from ose.distillation.curve import read_curve
from ose.distillation.module import StepLosses
from ose.inputs.corpora import inspect_corpus
from ose.students.distill import num_steps_kept
from ose.tasks.registry import load_task
from ose.workers.foreground import FullDistillation, run_distillation

TASK = load_task("text_classification")
SPEC = preset_spec(
    "task",
    steps=6,
    general_steps=5,
    batch_size=8,
    micro_batch_size=4,
    learning_rate=5e-3,
    precision="float32",
    checkpoint_every=2,
    evaluate_every=4,
    augmentation=AugmentationSpec(copies=2),
    weights={"labels": 0.5},
)
Request = Callable[..., FullDistillation]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, tiny_classifier: Path, real_text: list[str]) -> DataRequest:
    folder = tmp_path_factory.mktemp("labelled")
    spec, _ = put_labelled(folder, real_text)
    (folder / "general.txt").write_text("\n".join(real_text), encoding="utf8")
    spec = replace(spec, general=(str(folder / "general.txt"),))
    request = data_task(folder / "data", tiny_classifier, inspect_corpus(spec, rows=True), corpus_spec=spec)
    summary, teacher = TASK.prepare(request), TASK.load_teacher(tiny_classifier)
    for shard in targets_tasks(request, summary.num_sequences):
        TASK.compute_targets(shard, teacher)
    return request


@pytest.fixture
def request_of(data: DataRequest, tmp_path: Path) -> Request:
    job = Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(corpus=data.corpus_spec, search=SearchSpec(initialization="inherit")),
        spec_hash="5" * 64,
        teacher=data.teacher,
        corpus=data.corpus,
        created_at=NOW,
    )

    def make(folder: str = "run", **changes: Any) -> FullDistillation:
        return FullDistillation(
            job=job,
            architecture=architecture(2, 2, 16, 24),
            inheritance=InheritanceSpec(layers="distilbert"),
            spec=replace(SPEC, **changes),
            calibration=tmp_path / "calibration",
            search_data=Path(data.folder),
            packed_text=tmp_path / "packed",
            folder=tmp_path / folder,
            threads=1,
        )

    return make


class Told(dict[int, StepLosses]):
    """What was told of each step; interrupts at one."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self._interrupt_at = interrupt_at

    def __call__(self, step: int, losses: StepLosses) -> None:
        if step == self._interrupt_at:
            raise KeyboardInterrupt
        self[step] = losses


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return TASK.load_teacher(folder / "student").state_dict()


@pytest.mark.slow
def test_the_first_stage_learns_states_and_relations_and_the_second_the_task(request_of: Request) -> None:
    told = Told()
    result = run_distillation(request_of(), told)
    assert sorted(told) == list(range(1, 12)) and result.num_steps == 11
    for step, losses in told.items():
        assert (losses.hidden_states > 0) == (losses.relations > 0) == (step <= 5)
        assert (losses.soft_targets > 0) == (step > 5)
    assert told[5].total < told[1].total
    assert any(losses.labels > 0 for losses in told.values())


@pytest.mark.slow
def test_the_curve_tells_the_stage(request_of: Request) -> None:
    request = request_of()
    run_distillation(request, Told())
    curve = read_curve(request.folder / "curve.csv")
    stages = [(line["step"], line["stage"]) for line in curve]
    assert stages == [(0, "general"), (4, "general"), (8, "task"), (11, "task")]


@pytest.mark.slow
@pytest.mark.parametrize("interrupt_at", [1, 4, 6, 7, 10], ids=["before any", "general", "between", "task", "late"])
def test_an_interrupted_distillation_ends_with_the_same_weights(request_of: Request, interrupt_at: int) -> None:
    straight, again, resumed = request_of("straight"), request_of("again"), Told()
    whole = Told()
    run_distillation(straight, whole)
    with pytest.raises(KeyboardInterrupt):
        run_distillation(again, Told(interrupt_at))
    kept = num_steps_kept(again.folder)
    assert interrupt_at - 3 <= kept < interrupt_at
    run_distillation(again, resumed)
    assert resumed == {step: losses for step, losses in whole.items() if step > kept}
    expected = weights_of(straight.folder)
    assert all(torch.equal(weight, expected[name]) for name, weight in weights_of(again.folder).items())
    assert (
        read_curve(again.folder / "curve.csv")[-1]["loss_nats"]
        == read_curve(straight.folder / "curve.csv")[-1]["loss_nats"]
    )


@pytest.mark.slow
def test_without_a_first_stage_there_is_one_kind_of_checkpoint(request_of: Request) -> None:
    request = request_of(general_steps=0)
    run_distillation(request, Told())
    assert (request.folder / CHECKPOINTS).exists() and not (request.folder / GENERAL_CHECKPOINTS).exists()
    assert all("stage" not in line for line in read_curve(request.folder / "curve.csv"))
