from typing import Any

import pytest
from builders import job_spec

from ose.core.augmentation import AugmentationSpec
from ose.core.presets import PRESETS, preset_spec
from ose.core.recipe import DistillationSpec, LossWeights
from ose.core.spec import Columns, CorpusSpec
from ose.errors import InvalidInputError, JobFileError
from ose.inputs.recipes import changed_recipe, check_losses, with_recipe_of
from ose.tasks.registry import task_rules

CLASSES, MASKS = task_rules("text_classification"), task_rules("fill_mask")
CORPUS = CorpusSpec(train=("rows.csv",), columns=Columns(label="label"))
GENERAL = CorpusSpec(train=("rows.csv",), general=("text.txt",))


def test_the_recipe_of_a_job_follows_its_task() -> None:
    spec = with_recipe_of(CLASSES, job_spec(corpus=CORPUS))
    assert spec.spelled_out is None
    assert spec.distillation == preset_spec("task", steps=3_000, batch_size=32, micro_batch_size=32)
    assert with_recipe_of(MASKS, job_spec()).distillation == DistillationSpec()


def test_a_stage_on_text_without_labels_comes_with_such_text() -> None:
    assert with_recipe_of(CLASSES, job_spec(corpus=GENERAL)).distillation.general_steps == 1_000
    own = job_spec(corpus=GENERAL, distillation=DistillationSpec(general_steps=5))
    assert with_recipe_of(CLASSES, own).distillation.general_steps == 5


@pytest.mark.parametrize("preset", ["task", "tang", "minilm"])
def test_recipes_of_outputs_and_states_are_for_classifiers(preset: str) -> None:
    check_losses(preset_spec(preset), CLASSES, CORPUS)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_recipe_is_refused_by_a_task_without_its_losses(preset: str) -> None:
    for rules in (CLASSES, MASKS):
        known = (*rules.output_losses, "cosine", "relations", "hidden_states")
        weights = [name for name in LossWeights.__dataclass_fields__ if getattr(PRESETS[preset]["weights"], name)]
        if set(weights) <= set(known) and not (preset == "tang" and rules is MASKS):
            check_losses(preset_spec(preset), rules, CORPUS)
        else:
            with pytest.raises(JobFileError, match=f"is no loss of the task {rules.name}"):
                check_losses(preset_spec(preset), rules, CORPUS)


@pytest.mark.parametrize(
    ("changes", "rules", "message"),
    [
        ({"weights": LossWeights(soft_targets=0, masked_lm=0, cosine=0, labels=1)}, CLASSES, "has labels alone, but"),
        ({"augmentation": AugmentationSpec()}, MASKS, "changes texts of rows, but the task fill_mask reads documents"),
        ({"general_steps": 5}, MASKS, "general_steps is 5, but corpus.general names no text"),
    ],
)
def test_what_a_corpus_has_not_is_refused(changes: dict[str, Any], rules: Any, message: str) -> None:
    preset = "ose" if rules is MASKS else "task"
    with pytest.raises(JobFileError, match=message):
        check_losses(preset_spec(preset, **changes), rules, CorpusSpec(train=("a.txt",)))


def test_changes_may_name_an_augmentation() -> None:
    changed = changed_recipe(preset_spec("task"), {"augmentation": {"copies": 2, "ngram": 0.0}})
    assert changed.augmentation == AugmentationSpec(copies=2, ngram=0.0)
    with pytest.raises(InvalidInputError, match=r"augmentation\.copiez is unknown; did you mean"):
        changed_recipe(preset_spec("task"), {"augmentation": {"copiez": 2}})
