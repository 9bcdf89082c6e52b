"""Several processes follow the curve of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import architecture, beyond
from together import Group, LabelledWork, Outcome, Work, distill_alone, group_of
from torch import nn

from ose.core.messages import DataRequest
from ose.core.presets import preset_spec
from ose.core.recipe import OF_STATES, LossWeights
from ose.data.corpus import pack_corpus
from ose.data.tables import Row
from ose.tasks.fill_mask.teacher import load_tokenizer
from ose.tasks.registry import task_rules
from ose.tasks.text_classification.encoding import encode_rows
from ose.tasks.text_classification.teacher import load_tokenizer as classifiers_tokenizer
from ose.training.parallel import accumulating, is_first, rank, share_gradients, sum_over_processes, world_size

pytestmark = pytest.mark.processes

NARROW = architecture(2, 2, 16, 24)
AS_WIDE = architecture(2, 4, 32, 24)
SPEC = preset_spec(
    "distilbert",
    steps=6,
    batch_size=10,
    micro_batch_size=4,  # of 4, 4 and 2 sequences: two for the first process, one for the second
    learning_rate=5e-3,
    precision="float32",
    checkpoint_every=2,
    weight_decay=0.01,
    max_grad_norm=0.5,
)
LOSSES = [*task_rules("fill_mask").output_losses, *OF_STATES]
NewWork = Callable[..., Work]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with group_of(2, tmp_path_factory.mktemp("pair")) as group:
        yield group


@pytest.fixture(scope="module")
def sequences(search: DataRequest) -> np.ndarray:
    return pack_corpus(search.corpus, search.corpus_spec, load_tokenizer(search.teacher.path), "train")[:24]


@pytest.fixture
def new_work(search: DataRequest, sequences: np.ndarray, tmp_path: Path) -> NewWork:
    def make(folder: str = "run", **changes: Any) -> Work:
        work = Work(teacher=search.teacher.path, shape=NARROW, spec=SPEC, text=sequences, folder=tmp_path / folder)
        own = {name: changes.pop(name) for name in ("teacher", "shape", "text") if name in changes}
        return replace(work, spec=beyond(SPEC, **changes), **own)

    return make


def assert_same_curve(seen: Outcome, expected: Outcome) -> None:
    assert seen.error is None
    assert sorted(seen.curve) == sorted(expected.curve)
    for step, losses in expected.curve.items():
        assert seen.curve[step] == pytest.approx(losses, rel=1e-4), step


def test_a_narrower_student_with_all_losses(pair: Group, new_work: NewWork) -> None:
    weights = LossWeights(**dict.fromkeys(LOSSES, 1.5))
    alone = distill_alone(new_work("alone", weights=weights))
    first, second = pair.distill(new_work(weights=weights))
    assert_same_curve(first, alone)
    assert (first.weights, second.curve) == (second.weights, {})
    assert first.weights == pytest.approx(alone.weights, rel=1e-4)


@pytest.mark.parametrize("kept", LOSSES)
@pytest.mark.parametrize("teacher", ["roberta", "bert"])
def test_losses_that_leave_parameters_without_a_gradient(
    kept: str, teacher: str, pair: Group, new_work: NewWork, tiny_bert: Path, sequences: np.ndarray
) -> None:
    changes: dict[str, Any] = {"weights": LossWeights(**{**dict.fromkeys(LOSSES, 0), kept: 2})}
    if teacher == "bert":
        changes |= {"teacher": str(tiny_bert), "text": sequences % 700}
    assert_same_curve(pair.distill(new_work(**changes))[0], distill_alone(new_work("alone", **changes)))


def test_sequences_of_several_lengths(pair: Group, new_work: NewWork, sequences: np.ndarray) -> None:
    changes = {"text": (sequences[:9, :12].copy(), sequences[9:]), "positions": "masked", "shape": AS_WIDE}
    assert_same_curve(pair.distill(new_work(**changes))[0], distill_alone(new_work("alone", **changes)))


@pytest.mark.parametrize("begin_with", [1, 2])
def test_another_number_of_processes_goes_on_along_the_same_curve(
    begin_with: int, pair: Group, new_work: NewWork
) -> None:
    expected = distill_alone(new_work("alone"))

    def go(number: int, last_step: int | None = None) -> Outcome:
        return distill_alone(new_work(), last_step) if number == 1 else pair.distill(new_work(), last_step)[0]

    assert go(begin_with, last_step=5).error == "InterruptedError"
    resumed = go(3 - begin_with)
    assert sorted(resumed.curve) == [5, 6]
    for step, losses in resumed.curve.items():
        assert losses == pytest.approx(expected.curve[step], rel=1e-4)
    assert go(begin_with).curve == {}


@pytest.fixture
def labelled_work(tiny_classifier: Path, sequences: np.ndarray, real_text: list[str], tmp_path: Path) -> NewWork:
    lines = [line for document in real_text for line in document.splitlines() if len(line.split()) > 4][:30]
    tokenizer = classifiers_tokenizer(tiny_classifier)
    items = encode_rows([Row("", line) for line in lines], tokenizer, 32, has_token_types=False)
    items = replace(items, labels=torch.arange(30) % 3)
    spec = preset_spec(
        "task",
        steps=4,
        general_steps=3,
        batch_size=10,
        micro_batch_size=4,
        learning_rate=5e-3,
        precision="float32",
        checkpoint_every=2,
        weights={"labels": 0.5, "relations": 0.5, "logits": 0.5, "hidden_states": 0.5},
        augmentation={"copies": 2},
    )

    def make(folder: str) -> LabelledWork:
        teacher = str(tiny_classifier)
        return LabelledWork(
            teacher=teacher, shape=NARROW, spec=spec, text=sequences, folder=tmp_path / folder, items=items
        )

    return make


@pytest.mark.parametrize("last_step", [None, 2, 5], ids=["at once", "in the first stage", "in the second"])
def test_both_stages_of_a_classifiers_student_follow_the_curve_of_one_process(
    pair: Group, labelled_work: NewWork, last_step: int | None
) -> None:
    alone, together = distill_alone(labelled_work("alone")), labelled_work("pair")
    assert sorted(alone.curve) == list(range(1, 8))
    if last_step is not None:
        assert pair.distill(together, last_step)[0].error == "InterruptedError"
    first, second = pair.distill(together)
    assert first.error is None and first.weights == second.weights == pytest.approx(alone.weights, rel=1e-4)
    assert len(first.curve) >= 7 - (last_step or 0)
    for step, losses in first.curve.items():
        assert losses == pytest.approx(alone.curve[step], rel=1e-4, abs=1e-7), step


def test_a_loss_that_diverges_ends_every_process(pair: Group, new_work: NewWork) -> None:
    outcomes = pair.distill(new_work(learning_rate=1e30, warmup_fraction=0.0, max_grad_norm=1e30))
    assert [outcome.error for outcome in outcomes] == ["non_finite_loss"] * 2


def test_alone_nothing_is_shared() -> None:
    module, values = nn.Linear(2, 2), torch.tensor([1.0, 2.0])
    assert (rank(), world_size(), is_first()) == (0, 1, True)
    assert share_gradients(module, lambda: pytest.fail("asked for a loss")) is module
    assert sum_over_processes(values).tolist() == [1.0, 2.0]
    with accumulating(module, is_last=False):
        pass
