"""Subsets of the teacher's layers, scored on a worker and kept beside the search data they were scored on."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from ose.artifacts.intact import is_intact, write_intact_json
from ose.coordinator.backend import Backend
from ose.coordinator.cache_keys import inheritance_key, needs_calibration, search_data_key
from ose.coordinator.data_stage import prepare_search_data, run_requests
from ose.coordinator.run_context import RunContext, new_id
from ose.core.failures import StageFailedError
from ose.core.job import Job
from ose.core.layer_subsets import SubsetScore
from ose.core.messages import LayerSubsetsRequest
from ose.core.progress import Progress
from ose.errors import EvaluationError
from ose.store.base import Store


def layer_scores(
    store: Store,
    make_backend: Callable[[Job], Backend],
    artifacts: Path,
    progress: Progress,
    now: Callable[[], datetime],
    job: Job,
    keep: int,
) -> tuple[SubsetScore, ...]:
    """Score subsets of `keep` layers on a job's held-out targets, untrained, unless that was done before.

    Args:
        store: As a `Coordinator` has it, and the next four likewise.
        make_backend: Starts workers.
        artifacts: Folder of search data.
        progress: Told what happens.
        now: The clock.
        job: Need not be stored: nothing is kept but in its folder of search data.
        keep: Size of the subsets.

    Raises:
        EvaluationError: A worker could not do it; the message says why.
        StorageError: The folder cannot be written.
    """
    folder = artifacts / "search-data" / search_data_key(job)
    file = folder / f"layer-scores-{keep}-{inheritance_key(job.spec)}.json"
    if not is_intact(file):
        with closing(make_backend(job)) as backend:
            context = RunContext(
                store=store,
                backend=backend,
                progress=progress,
                job=job,
                owner="",  # no coordinator holds this job
                artifacts=artifacts,
                is_lost=lambda: False,
                now=now,
            )
            write_intact_json(file, [asdict(score) for score in _scores(context, keep)])
    entries = json.loads(file.read_text(encoding="utf8"))
    return tuple(
        SubsetScore(**{**entry, "layers": tuple(entry["layers"]), "rules": tuple(entry["rules"])}) for entry in entries
    )


def _scores(context: RunContext, keep: int) -> tuple[SubsetScore, ...]:
    try:
        prepare_search_data(context)
        context.progress.stage("Scoring subsets of layers", 1)
        request = LayerSubsetsRequest(
            id=new_id(),
            folder=str(context.folder),
            teacher=context.job.teacher,
            keep=keep,
            inheritance=context.job.spec.search.inheritance,
            calibration=str(context.calibration_folder) if needs_calibration(context.job.spec) else None,
        )
        [scores] = run_requests(context, [request])
    except StageFailedError as error:
        raise EvaluationError(error.failure.message) from error
    assert isinstance(scores, tuple)
    return scores
