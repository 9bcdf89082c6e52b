"""A subset scores what the teacher scores when its other layers are cut out."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest
import torch
from models import shake
from searches import LEADING, data_task, fill
from torch import nn
from transformers import PreTrainedModel

from ose.core.inheritance import InheritanceSpec
from ose.core.job import CorpusFacts
from ose.core.layer_choice import MEASURED_RULES, LayerRule
from ose.core.layer_subsets import Subset, most_promising, rule_subsets
from ose.core.messages import CalibrationRequest, DataRequest, LayerSubsetsRequest
from ose.extraction import subsets
from ose.extraction.calibrate import open_calibration, prepare_calibration
from ose.extraction.initial import Start, initial_student
from ose.extraction.subsets import score_layer_subsets, subset_scores
from ose.families.bert.model import architecture_of
from ose.tasks.fill_mask.search_data import load_search_data
from ose.tasks.fill_mask.teacher import load_masked_lm
from ose.tasks.judging import held_out_quality
from ose.tasks.registry import load_task

FILL_MASK = load_task("fill_mask")


def task(search: DataRequest, keep: int, inheritance: InheritanceSpec = LEADING) -> LayerSubsetsRequest:
    return LayerSubsetsRequest(
        id="layers", folder=search.folder, teacher=search.teacher, keep=keep, inheritance=inheritance, calibration=None
    )


def cut(teacher: PreTrainedModel, layers: Subset) -> PreTrainedModel:
    rest = copy.deepcopy(teacher)
    rest.base_model.encoder.layer = nn.ModuleList(rest.base_model.encoder.layer[layer] for layer in layers)
    return rest


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_subsets_score_what_the_rest_of_the_teacher_does(
    kind: str, search: DataRequest, tiny_bert: Path, corpus: CorpusFacts, tmp_path: Path
) -> None:
    if kind == "bert":
        search = data_task(tmp_path / "data", tiny_bert, corpus, num_sequences=8)
        fill(search)
    teacher, data = load_masked_lm(search.teacher.path), load_search_data(Path(search.folder))
    if kind == "bert":
        shake(teacher, by=0.2)  # other weights than those that the targets are of, but the same for both
    scores = score_layer_subsets(task(search, 2), teacher, data)
    assert [score.layers for score in scores] == list(combinations(range(4), 2))
    for score in scores:
        quality = held_out_quality(FILL_MASK, cut(teacher, score.layers), data)
        assert score.loss_nats == pytest.approx(quality.loss_nats, abs=1e-5)
        assert score.loss_stderr_nats == pytest.approx(quality.loss_stderr_nats, abs=1e-5)
    assert len({score.loss_nats for score in scores}) == len(scores)


def test_all_layers_are_the_teacher_which_stays_as_it_was(search: DataRequest) -> None:
    teacher, data = load_masked_lm(search.teacher.path), load_search_data(Path(search.folder))
    before = {name: weights.clone() for name, weights in teacher.state_dict().items()}
    whole, alone, again = subset_scores(FILL_MASK, teacher, data, [(0, 1, 2, 3), (3,), (0, 1, 2, 3)])
    assert whole == again
    assert whole.loss_nats == pytest.approx(fill(search).entropy_nats, abs=1e-3)  # targets in half precision
    assert alone.loss_nats > whole.loss_nats
    assert all(torch.equal(before[name], weights) for name, weights in teacher.state_dict().items())
    assert teacher.config.num_hidden_layers == 4 == len(teacher.base_model.encoder.layer)


def test_shared_beginnings_are_computed_once(search: DataRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subsets, "_ROWS_AT_ONCE", 100)
    teacher, data = load_masked_lm(search.teacher.path), load_search_data(Path(search.folder))
    calls: list[int] = []
    for index, layer in enumerate(teacher.base_model.encoder.layer):
        layer.register_forward_hook(lambda *_, index=index: calls.append(index))
    subset_scores(FILL_MASK, teacher, data, list(combinations(range(4), 2)))
    assert calls == [*[0, 1, 2, 3], *[1, 2, 3], *[2, 3]]


def test_a_part_of_the_held_out_sequences_is_enough(search: DataRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, data = load_masked_lm(search.teacher.path), load_search_data(Path(search.folder))
    monkeypatch.setattr(subsets, "SCORED_SEQUENCES", 5)
    [score] = subset_scores(FILL_MASK, teacher, data, [(0, 3)])
    quality = held_out_quality(FILL_MASK, cut(teacher, (0, 3)), data)
    assert score.loss_nats == pytest.approx(sum(quality.sequence_losses_nats[:5]) / 5, abs=1e-5)


@pytest.mark.slow
def test_promising_subsets_are_scored_as_students_start(
    search: DataRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subsets, "MAX_REFITTED", 2)
    teacher, data = load_masked_lm(search.teacher.path), load_search_data(Path(search.folder))
    measured = CalibrationRequest(
        id="calibration",
        folder=str(tmp_path),
        teacher=search.teacher,
        corpus=search.corpus,
        corpus_spec=search.corpus_spec,
        num_sequences=16,
        eliminates_layers=True,
    )
    prepare_calibration(measured, teacher)
    calibration, spec = open_calibration(tmp_path), InheritanceSpec()
    scores = score_layer_subsets(task(search, 2, spec), teacher, data, calibration)
    plain = {score.layers: score.loss_nats for score in scores if not score.is_refitted}
    refitted = {score.layers: score.loss_nats for score in scores if score.is_refitted}
    best = sorted(plain, key=lambda layers: plain[layers])[:2]
    importance = {rule: calibration.importance[f"layers.{rule}"].tolist() for rule in MEASURED_RULES}
    kept = rule_subsets(4, 2, importance)
    assert refitted.keys() == {*best, *kept}
    assert {score.layers: score.rules for score in scores if score.rules} == kept
    assert {rule for rules in kept.values() for rule in rules} == set(get_args(LayerRule))
    start = Start(
        initialization="inherit",
        inheritance=replace(spec, layers=(0, 3)),
        seed=0,
        calibration=calibration,
        task="fill_mask",
    )
    student = initial_student(teacher, replace(architecture_of(teacher), num_hidden_layers=2), start)
    assert (
        refitted[0, 3] == held_out_quality(FILL_MASK, student, data, subsets.SCORED_SEQUENCES).loss_nats != plain[0, 3]
    )
    assert most_promising(scores, 2, 1)[0].loss_nats == min(refitted.values())
