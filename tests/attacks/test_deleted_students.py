"""A job that is deleted while its student is made: whoever makes it loses the work, and nothing else.

Tests ose/students/student_queue.py too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import builders
import pytest
from services import add_finished_job

from ose.core.exports import ExportSummary
from ose.core.job import DistillationResult, DistillationStatus
from ose.jobs.delete import delete_job
from ose.store.base import Store
from ose.store.database import open_store
from ose.students.student_queue import DistillWith, StudentQueue

FAULT = "what is deleted takes along what others use, or leaves something"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(open_store(store_url)) as store:
        yield store


@pytest.fixture
def two_wait(store: Store, tmp_path: Path) -> None:
    """A distillation of each of two jobs."""
    for job_id in ("job-1", "job-2"):
        add_finished_job(store, job_id)
        _queue(store, tmp_path).request(job_id)


def _queue(store: Store, artifacts: Path, distill: DistillWith | None = None, write: Any = None) -> StudentQueue:
    return StudentQueue(store, artifacts, distill or _student(artifacts), write or _export, store.now)


def _student(artifacts: Path, before_its_end: Callable[[str], None] = lambda _: None) -> DistillWith:
    def distill(_workers: int, job: Any, _candidate: Any, _spec: Any, folder: Path) -> DistillationResult:
        (folder / "student").mkdir(parents=True)
        before_its_end(job.id)
        return builders.distillation_result(student_path=str(folder / "student"))

    return distill


def _export(student: Path, output: Path, _manifest: Any) -> ExportSummary:
    output.mkdir(parents=True)
    (output / "config.json").write_text("{}")
    return ExportSummary(
        folder=str(output), architecture=builders.architecture(), size_bytes=2, max_logit_difference=0.0
    )


def _much_later(store: Store) -> Callable[[], datetime]:
    """When the lease of a coordinator that was stopped has ended."""
    return lambda: store.now() + timedelta(hours=2)


@pytest.mark.attack(door="quotas", fault=FAULT, how="a coordinator was away, and comes back to a deleted distillation")
@pytest.mark.usefixtures("two_wait")
def test_a_coordinator_outlives_the_student_that_it_makes(store: Store, tmp_path: Path) -> None:
    def delete(job_id: str) -> None:
        if job_id == "job-1":
            delete_job(store, tmp_path, job_id, _much_later(store))

    queue = _queue(store, tmp_path, _student(tmp_path, delete))
    assert queue.run_next() is None
    second = queue.run_next()
    assert second is not None and (second.job_id, second.status) == ("job-2", DistillationStatus.SUCCEEDED)
    assert [job.id for job in store.jobs()] == ["job-2"]


@pytest.mark.attack(door="quotas", fault=FAULT, how="the job is deleted while its student is exported")
@pytest.mark.usefixtures("two_wait")
def test_an_export_of_a_deleted_job_leaves_no_files(store: Store, tmp_path: Path) -> None:
    def write(student: Path, output: Path, manifest: Any) -> ExportSummary:
        if manifest["job"]["id"] == "job-1":
            delete_job(store, tmp_path, "job-1", store.now)
        return _export(student, output, manifest)

    queue = _queue(store, tmp_path, write=write)
    for _ in range(2):
        queue.run_next()
    assert [export.job_id for export in queue.export_finished()] == ["job-2"]
    assert [path.name.split("-")[1] for path in (tmp_path / "exports").iterdir()] == ["2"]
