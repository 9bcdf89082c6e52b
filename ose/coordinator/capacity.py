"""How many of the workers that a job asks for are of use, and fit on this machine."""

from __future__ import annotations

import os

from ose.core.job import TeacherFacts
from ose.core.spec import WorkersSpec
from ose.inputs.machine_memory import machine_memory_bytes
from ose.limits import operator_limits, setting_of

_PROCESS_BYTES = 2**29
"""Of a worker that has loaded torch and nothing else."""

_WEIGHT_BYTES = 4


def most_workers(asked: WorkersSpec, teacher: TeacherFacts, num_tasks: int, *, is_local: bool) -> tuple[int, str]:
    """How many workers to start, at least one, and why no more.

    Args:
        asked: How many there are to be, and what each gets.
        teacher: Which each of them loads.
        num_tasks: More workers than this would have nothing to do.
        is_local: Whether they run on this machine; what a cluster holds, it says itself.
    """
    bounds = {
        "there is no work for more": num_tasks,
        f"{setting_of('max_workers')} allows no more": operator_limits().max_workers,
    }
    if is_local:
        bounds[f"this machine has {_num_cores()} cores"] = _num_cores() // asked.cpus
        bounds["more would not fit into this machine's memory"] = _num_in_memory(teacher)
    reason = min(bounds, key=lambda each: bounds[each])
    return max(1, min(asked.count, bounds[reason])), reason


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _num_in_memory(teacher: TeacherFacts) -> int:
    return machine_memory_bytes() // (_PROCESS_BYTES + _WEIGHT_BYTES * teacher.num_parameters)
