from typing import Any, get_args

import pytest

from ose.core.presets import (
    PRESETS,
    RECIPE_FIELDS,
    asked_content,
    changed_spec,
    preset_spec,
    spelled_out_in,
    task_spec,
    with_preset,
)
from ose.core.recipe import DistillationSpec, LossWeights, Preset
from ose.errors import InvalidInputError

OWN = DistillationSpec(steps=7, batch_size=3, seed=5, learning_rate=1.0, weights=LossWeights(cosine=4.0))


def test_every_preset_sets_the_whole_recipe_and_nothing_else() -> None:
    assert set(PRESETS) == set(get_args(Preset))
    assert all(set(values) == set(RECIPE_FIELDS) for values in PRESETS.values())
    assert not {"steps", "batch_size", "seed", "precision"} & set(RECIPE_FIELDS)


def test_our_own_recipe_is_the_default() -> None:
    assert preset_spec("ose") == DistillationSpec()


def test_distilberts_recipe_is_that_of_its_scripts() -> None:
    spec = preset_spec("distilbert")
    assert (spec.weights.soft_targets, spec.weights.masked_lm, spec.weights.cosine) == (5, 2, 1)
    assert (spec.temperature, spec.positions, spec.mask_smoothing, spec.sequences) == (2, "all", 0.7, "documents")


def test_borts_recipe_is_that_of_its_script() -> None:
    spec = preset_spec("bort", steps=100)
    assert spec.weights == LossWeights(soft_targets=0.5, masked_lm=0.1, cosine=0.0)
    assert (spec.temperature, spec.positions, spec.learning_rate, spec.weight_decay) == (2, "masked", 1e-4, 0.01)
    assert (spec.betas, spec.warmup_fraction, spec.max_grad_norm) == ((0.9, 0.999), 0.01, 1)
    assert (spec.preset, spec.steps) == ("bort", 100)


def test_minilms_recipe_has_relations_alone() -> None:
    assert preset_spec("minilm").weights == LossWeights(soft_targets=0, masked_lm=0, cosine=0, relations=1 / 3)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_lies_over_a_job_and_under_what_is_named(preset: str) -> None:
    spec = changed_spec(OWN, {"preset": preset, "temperature": 3.0})
    assert (spec.preset, spec.temperature, spec.steps, spec.batch_size, spec.seed) == (preset, 3.0, 7, 3, 5)
    rest = set(RECIPE_FIELDS) - {"temperature"}
    assert {name: getattr(spec, name) for name in rest} == {name: PRESETS[preset][name] for name in rest}


def test_without_a_preset_the_rest_stays_as_it_was() -> None:
    changed = changed_spec(OWN, {"steps": 9, "weights": {"masked_lm": 0.0}})
    assert (changed.steps, changed.learning_rate, changed.preset) == (9, 1.0, "ose")
    assert changed.weights == LossWeights(masked_lm=0.0, cosine=4.0)
    assert changed_spec(OWN, {}) == OWN


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "unheard-of"}, "preset must be one of ose, distilbert, bort, minilm, task, tang, not 'unheard-of'"),
        ({"preset": ["bort"]}, "preset must be one of"),
        ({"stepz": 1}, "a distillation has no stepz"),
        ({"weights": {"cosines": 1}}, "there is no loss called cosines"),
        ({"preset": "bort", "temperature": 0.0}, "temperature must be positive"),
    ],
)
def test_changes_without_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        changed_spec(OWN, changes)


def test_a_job_files_own_words_stand_above_its_preset() -> None:
    content = with_preset({"preset": "bort", "learning_rate": 7, "weights": {"cosine": 1}, "steps": 2})
    assert (content["learning_rate"], content["steps"], content["positions"]) == (7, 2, "masked")
    assert content["weights"] == {**content["weights"], "soft_targets": 0.5, "masked_lm": 0.1, "cosine": 1}


@pytest.mark.parametrize("content", [{"preset": "unheard-of", "steps": 1}, {"preset": 3}, {"steps": 1}])
def test_what_names_no_preset_is_left_alone(content: dict[str, Any]) -> None:
    assert with_preset(content) == content


DEFAULTS = {"preset": "task", "steps": 3_000, "batch_size": 32}


def named(content: dict[str, Any]) -> DistillationSpec:
    """The recipe of a job file with this `distillation`, for a task with DEFAULTS."""
    whole = changed_spec(DistillationSpec(), content)
    return task_spec(whole, spelled_out_in(content), DEFAULTS)


def test_a_recipe_that_names_no_preset_is_its_tasks() -> None:
    assert named({}) == preset_spec("task", steps=3_000, batch_size=32)
    assert task_spec(DistillationSpec(), None, DEFAULTS) == named({})
    assert task_spec(DistillationSpec(), None, {"preset": "ose"}) == DistillationSpec()


@pytest.mark.parametrize("content", [{"steps": 20_000}, {"learning_rate": 5e-4, "seed": 3}, {"batch_size": 64}])
def test_what_a_job_names_stands_above_its_task_also_where_it_is_the_usual_value(content: dict[str, Any]) -> None:
    assert named(content) == changed_spec(named({}), content)


def test_single_weights_that_a_job_names_stand_above_its_tasks() -> None:
    assert named({"weights": {"labels": 0.5}}).weights == LossWeights(soft_targets=1, masked_lm=0, cosine=0, labels=0.5)


def test_a_preset_that_a_job_names_stands_above_its_tasks_and_leaves_it_the_lengths() -> None:
    content = {"preset": "minilm", "temperature": 3.0}
    assert named(content) == preset_spec("minilm", temperature=3.0, steps=3_000, batch_size=32)
    assert named({"preset": "ose"}) == preset_spec("ose", steps=3_000, batch_size=32)


def test_of_a_recipe_made_in_python_what_is_unlike_the_usual_one_counts_as_named() -> None:
    spec = DistillationSpec(steps=9, weights=LossWeights(labels=0.5))
    assert task_spec(spec, None, DEFAULTS) == named({"steps": 9, "weights": {"labels": 0.5}})
    assert asked_content(spec, None) == {"steps": 9, "weights": {"labels": 0.5}}
    assert task_spec(preset_spec("tang", steps=9), None, DEFAULTS) == preset_spec("tang", steps=9, batch_size=32)


def test_tangs_recipe_learns_logits_of_changed_texts() -> None:
    spec = preset_spec("tang")
    assert spec.weights == LossWeights(soft_targets=0, masked_lm=0, cosine=0, logits=1)
    assert spec.augmentation is not None
    assert (spec.augmentation.mask, spec.augmentation.replace, spec.augmentation.ngram) == (0.1, 0.1, 0.25)
    changed = changed_spec(spec, {"augmentation": {"copies": 3}}).augmentation
    assert changed is not None and (changed.copies, changed.mask) == (3, 0.1)
