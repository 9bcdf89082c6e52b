"""The latency of a student that is about to be shown to others."""

from __future__ import annotations

from pathlib import Path

from ose.coordinator.coordinator import Coordinator
from ose.core.job import Distillation, Job
from ose.core.progress import Progress
from ose.errors import OseError
from ose.store.base import Store


def with_better_latency(
    store: Store, job: Job, distillation: Distillation, output: Path, coordinator: Coordinator, progress: Progress
) -> Job:
    """The job, after what is not to be believed of its latencies was measured again; as it is if that cannot be done.

    Only where the student's or its teacher's is among that, and the export will not be refused: it takes a while.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        return job
    shown = (job.teacher_latency, store.candidate(job.id, distillation.candidate_number).latency)
    if not job.status.is_terminal or not any(each is not None and each.is_flagged for each in shown):
        return job
    try:
        return coordinator.remeasure(job.id)
    except OseError as error:
        progress.say(f"latencies are not measured again: {error}")
        return job
