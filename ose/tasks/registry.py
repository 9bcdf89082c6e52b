"""The tasks by name. Reading this table imports none of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ose.errors import InvalidInputError

if TYPE_CHECKING:
    from ose.tasks.base import Task
    from ose.tasks.rules import TaskRules

TASKS = {
    "fill_mask": "ose.tasks.fill_mask",
    "text_classification": "ose.tasks.text_classification",
}
"""From name to folder, as a module path: `rules` lies in it, and `task`. Of several that suit a model, the first."""


def task_rules(name: str) -> TaskRules:
    """What submission asks of a task; loads no torch.

    Raises:
        InvalidInputError: There is no such task.
    """
    rules: TaskRules = import_module(f"{_folder(name)}.rules").RULES
    return rules


def load_task(name: str) -> Task:
    """The task, with what workers run.

    Raises:
        InvalidInputError: There is no such task.
    """
    task: Task = import_module(f"{_folder(name)}.task").TASK
    return task


def require_labels(name: str) -> None:
    """Refuse a task whose rows have no labels.

    Raises:
        InvalidInputError: There is no such task, or its rows have none.
    """
    if "label" not in task_rules(name).columns:
        others = ", ".join(each for each in TASKS if "label" in task_rules(each).columns)
        raise InvalidInputError(f"{name} has no labels to be fine-tuned on; choose --task {others}")


def _folder(name: str) -> str:
    if name not in TASKS:
        raise InvalidInputError(f"there is no task {name[:60]!r}; choose one of {', '.join(TASKS)}")
    return TASKS[name]
