"""The recipe of a distillation: what a job leaves to its task, what is changed later, and what a task cannot follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ose.core.presets import changed_content, task_spec
from ose.core.recipe import OF_STATES, DistillationSpec
from ose.core.spec import CorpusSpec, JobSpec
from ose.errors import JobFileError
from ose.inputs.validation import validate
from ose.tasks.rules import TaskRules


def changed_recipe(spec: DistillationSpec, changes: Mapping[str, Any]) -> DistillationSpec:
    """`spec` with changes over it, held to the same rules as a job file's `distillation`.

    Raises:
        InvalidInputError: No such preset or field, or a value that is none for its field.
    """
    return validate(DistillationSpec, changed_content(spec, changes), "changes")


def with_recipe_of(rules: TaskRules, spec: JobSpec) -> JobSpec:
    """A job whose recipe is whole: the task has given what its file left open."""
    defaults = dict(rules.recipe)
    if not spec.corpus.general:
        defaults.pop("general_steps", None)
    recipe = task_spec(spec.distillation, spec.spelled_out, defaults)
    return replace(spec, distillation=recipe, spelled_out=None)


def check_losses(spec: DistillationSpec, rules: TaskRules, corpus: CorpusSpec) -> None:
    """Refuse a recipe that a task cannot follow on its corpus.

    Raises:
        JobFileError: A loss is not the task's, or nothing would be learnt without labels; or the recipe asks for
            changed texts, or for text without labels, where there are none.
    """
    weights = [name for name, weight in asdict(spec.weights).items() if weight]
    known = (*rules.output_losses, *OF_STATES)
    for name in weights:
        if name not in known:
            raise JobFileError(
                f"distillation.weights.{name} is no loss of the task {rules.name}, which has {', '.join(known)}; set "
                f"it to 0, or name the preset {rules.recipe['preset']}"
            )
    if weights == ["labels"] and corpus.columns.label is None:
        raise JobFileError("distillation.weights has labels alone, but corpus.columns.label names no column of them")
    if spec.augmentation is not None and not rules.reads_rows:
        raise JobFileError(
            f"distillation.augmentation changes texts of rows, but the task {rules.name} reads documents"
        )
    if spec.general_steps and not corpus.general:
        raise JobFileError(f"distillation.general_steps is {spec.general_steps:,}, but corpus.general names no text")
