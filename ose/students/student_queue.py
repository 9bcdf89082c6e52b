"""Distillations that somebody asks a service for: queued here, run by a coordinator, exported for download."""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ose.coordinator.getting_on import futility
from ose.coordinator.lease import LEASE_S, Lease
from ose.core.exports import Export, ExportFile, ExportSummary
from ose.core.failures import failure_report
from ose.core.job import Candidate, Distillation, DistillationResult, Job
from ose.core.recipe import DistillationSpec
from ose.errors import NotFoundError, OseError, UnreadableError
from ose.inputs.consistency import check_recipe
from ose.inputs.job_memory import check_distillation_memory
from ose.inputs.recipes import changed_recipe
from ose.limits import operator_limits
from ose.store.base import Store
from ose.students.distill import (
    check_workers,
    choose_candidate,
    distill_student,
    distillation_folder,
    finished_student,
    num_steps_kept,
)
from ose.students.manifest import student_manifest

_LOG = logging.getLogger(__name__)

DistillWith = Callable[[int, Job, Candidate, DistillationSpec, Path], DistillationResult]
"""Runs a distillation with so many workers in a folder, from its last checkpoint if it holds one."""

Write = Callable[[Path, Path, dict[str, Any]], ExportSummary]
"""Exports a student's folder to another one, with a manifest."""


class StudentQueue:
    """What a service does for those who cannot distil on their own machine."""

    def __init__(
        self, store: Store, artifacts: Path, distill: DistillWith, write: Write, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._distill = distill
        self._write = write
        self._now = now
        self._unexportable: set[int] = set()

    def request(
        self,
        job_id: str,
        candidate: int | None = None,
        changes: Mapping[str, Any] | None = None,
        workers: int = 1,
        owner: str | None = None,
    ) -> Distillation:
        """Queue a full distillation. Asked again, it is the same one; one that failed is queued anew.

        Args:
            job_id: The job.
            candidate: Number of the candidate; None takes the best.
            changes: Fields of the job's `distillation` to override.
            workers: Processes that train together.
            owner: The id of the token that asks; None is this machine.

        Raises:
            InvalidInputError: There is no such job, candidate, preset or field, or a value makes no sense.
            ConflictError: No candidate has been scored yet.
            QuotaError: As many distillations of the owner wait as may.
        """
        job = self._store.job(job_id)
        spec = changed_recipe(job.spec.distillation, changes or {})
        check_workers(spec, workers)
        chosen = choose_candidate(self._store, job, candidate)
        check_recipe(spec, job.teacher, chosen.architecture, job.spec.corpus)
        check_distillation_memory(job, chosen.architecture, spec, workers)
        folder = distillation_folder(job, chosen, spec, self._artifacts)
        most = operator_limits().max_queued_distillations
        return self._store.request_distillation(
            job.id, chosen.number, spec, str(folder), workers, self._now(), owner, most
        )

    def run_next(self) -> Distillation | None:
        """Run the distillation whose turn it is to its end, or to its failure, which is stored with it.

        Returns:
            It as it ended; None if none waits, or its job was deleted.

        Raises:
            KeyboardInterrupt: It was handed back first, and goes on from its last checkpoint.
        """
        owner = secrets.token_hex(8)
        claimed = self._store.claim_distillation(owner, self._now(), self._now() + timedelta(seconds=LEASE_S))
        if claimed is None:
            return None
        distillation, workers = claimed
        if not self._is_worth_it(distillation, owner):
            return self._find(distillation.id)
        renew = partial(self._store.renew_distillation, distillation.id, owner)
        with Lease(renew, f"distillation-{distillation.id}", self._now):
            try:
                self._run(distillation, workers)
            except (KeyboardInterrupt, SystemExit):
                self._store.release_distillation(distillation.id, owner)
                raise
            except UnreadableError as error:  # its job, or what it needs of it
                self._store.finish_distillation(distillation.id, self._now(), failure=failure_report(error))
            except Exception as error:  # it is stored with the distillation; the next one may fare better
                known = self._find(distillation.id)
                if known is not None and known.failure is None:
                    raise error
        return self._find(distillation.id)

    def _is_worth_it(self, distillation: Distillation, owner: str) -> bool:
        """Whether it gets on at all; one that does not has failed now."""
        num_steps = num_steps_kept(Path(distillation.folder))
        failure = futility(distillation, num_steps)
        if failure is not None:
            self._store.finish_distillation(distillation.id, self._now(), failure=failure)
        elif num_steps > distillation.num_recorded:
            self._store.note_steps(distillation.id, owner, num_steps)
        return failure is None

    def _find(self, distillation_id: int) -> Distillation | None:
        """None if its job was deleted, which may happen to one whose lease has ended."""
        try:
            return self._store.distillation(distillation_id)
        except NotFoundError:
            return None

    def _run(self, distillation: Distillation, workers: int) -> None:
        job = self._store.job(distillation.job_id)
        candidate = self._store.candidate(job.id, distillation.candidate_number)
        distill = partial(self._distill, workers)
        distill_student(self._store, job, candidate, distillation.spec, self._artifacts, distill, self._now)

    def export_finished(self) -> list[Export]:
        """Export every distilled student that has no export yet, also those of others; what cannot be is left out."""
        waiting = [each for each in self._store.unexported_distillations() if _is_here(each)]
        return [export for each in waiting if (export := self._try_export(each)) is not None]

    def _try_export(self, distillation: Distillation) -> Export | None:
        """One that fails is tried again by the next coordinator, not at every look of this one."""
        if distillation.id in self._unexportable:
            return None
        try:
            return self._export(distillation)
        except OseError as error:
            self._unexportable.add(distillation.id)
            _LOG.warning("distillation %d cannot be exported: %s", distillation.id, error)
            return None

    def _export(self, distillation: Distillation) -> Export:
        job = self._store.job(distillation.job_id)
        manifest = student_manifest(self._store, job, distillation)
        # Another coordinator may be at it: each writes its own folder, and the first that is stored stays.
        name = f"{job.id}-{distillation.candidate_number}-{distillation.id}-{secrets.token_hex(4)}"
        folder = self._artifacts / "exports" / name
        summary = self._write(finished_student(distillation), folder, manifest)
        export = Export(
            id=distillation.id,
            job_id=job.id,
            candidate_number=distillation.candidate_number,
            architecture=summary.architecture,
            folder=str(folder),
            files=tuple(_described(file) for file in sorted(folder.iterdir()) if file.is_file()),
            max_logit_difference=summary.max_logit_difference,
            created_at=self._now(),
        )
        return self._stored(export)

    def _stored(self, export: Export) -> Export:
        """The export, or the one that was stored before; what was written in vain goes again."""
        try:
            kept = self._store.add_export(export)
        except NotFoundError:
            shutil.rmtree(export.folder)
            raise
        if kept.folder != export.folder:
            shutil.rmtree(export.folder)
        return kept


def _is_here(distillation: Distillation) -> bool:
    """Whether the student can be read: one distilled with another home folder stays there."""
    return distillation.result is not None and Path(distillation.result.student_path).is_dir()


def _described(file: Path) -> ExportFile:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256")
    return ExportFile(name=file.name, size_bytes=file.stat().st_size, sha256=digest.hexdigest())
