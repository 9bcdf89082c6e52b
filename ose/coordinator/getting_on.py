"""Whether a job or distillation has got on since it was last claimed: if it never does, it is not claimed again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ose.artifacts.files import is_temporary
from ose.coordinator.cache_keys import CALIBRATIONS, calibration_key, search_data_parts
from ose.core.job import Distillation, FailureReport, Job
from ose.limits import operator_limits, setting_of
from ose.store.base import Store


def num_recorded(store: Store, artifacts: Path, job: Job) -> int:
    """How much there is of a job, in the database and among its files. What a run does only again adds nothing.

    A trial counts when it has ended: one that takes its coordinator down each time gets nowhere.
    """
    of_teacher = (job.teacher_latency is not None) + (job.teacher_quality is not None)
    return store.count_recorded(job.id) + of_teacher + sum(1 for _ in _files(artifacts, job))


def futility(claimed: Job | Distillation, recorded: int) -> FailureReport | None:
    """Why what was claimed is to fail instead of being run; None while it gets on, or may yet."""
    most = operator_limits().max_claims
    if recorded > claimed.num_recorded or claimed.num_claims <= most:
        return None
    what = "job" if isinstance(claimed, Job) else "distillation"
    return FailureReport(
        code="abandoned",
        message=f"{most} coordinators in a row died running this {what}, or had no worker that started, before it got "
        f"on; it may need more memory than there is ({setting_of('max_claims')} says after how many it fails)",
    )


def _files(artifacts: Path, job: Job) -> Iterator[Path]:
    folders = [artifacts / "search-data" / part.key for part in search_data_parts(job)]
    for folder in (*folders, artifacts / CALIBRATIONS / calibration_key(job)):
        for file in folder.rglob("*"):
            if not any(map(is_temporary, file.relative_to(folder).parts)):
                yield file
