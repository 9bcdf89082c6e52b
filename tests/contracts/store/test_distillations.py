"""Distillations run, fail, are reopened and succeed."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from builders import NOW
from stored import LATER, SOON

from ose.core.job import Candidate, DistillationStatus
from ose.core.recipe import DistillationSpec
from ose.errors import StoreError
from ose.store.base import Store


@pytest.fixture(autouse=True)
def _candidate(candidate: Candidate) -> None:
    """There is one to distil."""


def test_a_distillation_runs_and_succeeds(store: Store) -> None:
    spec = DistillationSpec(steps=7)
    running = store.add_distillation("job-1", 1, spec, "/folder", NOW)
    assert (running.job_id, running.candidate_number, running.spec) == ("job-1", 1, spec)
    assert (running.status, running.folder) == (DistillationStatus.RUNNING, "/folder")
    store.finish_distillation(running.id, SOON, result=builders.distillation_result())
    expected = replace(
        running, status=DistillationStatus.SUCCEEDED, finished_at=SOON, result=builders.distillation_result()
    )
    assert store.distillations("job-1") == [expected]


def test_a_failed_one_is_reopened(store: Store) -> None:
    running = store.add_distillation("job-1", 1, DistillationSpec(), "/folder", NOW)
    store.finish_distillation(running.id, SOON, failure=builders.failure())
    (failed,) = store.distillations("job-1")
    assert (failed.status, failed.failure) == (DistillationStatus.FAILED, builders.failure())
    store.reopen_distillation(running.id)
    assert store.distillations("job-1") == [running]


def test_a_succeeded_one_stays_as_it_is(store: Store) -> None:
    running = store.add_distillation("job-1", 1, DistillationSpec(), "/folder", NOW)
    store.finish_distillation(running.id, SOON, result=builders.distillation_result())
    before = store.distillations("job-1")
    store.reopen_distillation(running.id)
    store.finish_distillation(running.id, LATER, failure=builders.failure())
    assert store.distillations("job-1") == before


def test_they_are_listed_newest_first_and_by_job(store: Store) -> None:
    ids = [store.add_distillation("job-1", 1, DistillationSpec(), f"/{n}", NOW).id for n in range(3)]
    assert [distillation.id for distillation in store.distillations("job-1")] == ids[::-1]
    assert store.distillations("job-2") == []


def test_an_end_is_a_result_or_a_failure(store: Store) -> None:
    running = store.add_distillation("job-1", 1, DistillationSpec(), "/folder", NOW)
    with pytest.raises(ValueError):
        store.finish_distillation(running.id, SOON)


def test_the_candidate_must_exist(store: Store) -> None:
    with pytest.raises(StoreError):
        store.add_distillation("job-1", 9, DistillationSpec(), "/folder", NOW)
