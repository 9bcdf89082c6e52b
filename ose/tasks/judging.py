"""Judge a model on the held-out items of a search: its distance from the teacher's whole answers."""

from __future__ import annotations

from transformers import PreTrainedModel

from ose.tasks.base import HeldOutQuality, SearchData, Task


def held_out_quality(
    task: Task, student: PreTrainedModel, data: SearchData, num_items: int | None = None
) -> HeldOutQuality:
    """Judge a student in float32, as the teacher was.

    Args:
        task: What it does.
        student: As it stands.
        data: The search's.
        num_items: Only the first held-out items; None takes all.

    Raises:
        NonFiniteLossError: The student has diverged.
    """
    return task.quality_of(task.judge(student, data, num_items, "float32"), data)
