from __future__ import annotations

from pathlib import Path

import builders
import pytest
from fake_backend import FakeBackend
from fake_results import subset_score
from fake_search import Clock

from ose.coordinator.layer_stage import layer_scores
from ose.core.job import Job, JobStatus
from ose.core.layer_subsets import SubsetScore
from ose.core.messages import LayerSubsetsRequest
from ose.core.progress import Silence
from ose.errors import EvaluationError
from ose.store.base import Store


def scores(store: Store, folder: Path, backends: list[FakeBackend], keep: int = 2) -> tuple[SubsetScore, ...]:
    """Those of a job that is not stored, with the next of `backends` if one is needed."""
    new = builders.new_job()
    draft = Job(
        id="draft",
        status=JobStatus.PENDING,
        spec=new.spec,
        spec_hash="",
        teacher=new.teacher,
        corpus=new.corpus,
        created_at=builders.NOW,
    )
    return layer_scores(store, lambda _: backends.pop(), folder, Silence(), Clock(), draft, keep)


def test_subsets_are_scored_once_for_each_size(store: Store, tmp_path: Path) -> None:
    backend = FakeBackend()
    first = scores(store, tmp_path, [backend])
    assert first[0] == subset_score((0, 1)) and len(first) == 6
    assert backend.is_closed and isinstance(backend.tasks[-1], LayerSubsetsRequest)
    assert scores(store, tmp_path, []) == first
    assert len(scores(store, tmp_path, [FakeBackend()], keep=3)) == 4
    assert store.jobs() == []


def test_a_worker_that_cannot_is_told_and_nothing_kept(store: Store, tmp_path: Path) -> None:
    backend = FakeBackend(stages={LayerSubsetsRequest: [builders.failure("error", message="no", is_retryable=False)]})
    with pytest.raises(EvaluationError, match="no"):
        scores(store, tmp_path, [backend])
    assert backend.is_closed
    assert len(scores(store, tmp_path, [FakeBackend()])) == 6
