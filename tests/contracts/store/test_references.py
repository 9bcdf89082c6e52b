"""Reference rows: stored once, by the job's owner alone, and gone with the job. Covers ose/store/references.py."""

from __future__ import annotations

import builders
import pytest
from builders import NOW
from stored import claimed

from ose.core.job import ErrorDetail, JobStatus
from ose.core.measurement import Metric
from ose.core.reference import BAG_OF_WORDS, HALF_DEPTH, Reference
from ose.errors import ConflictError
from ose.store.base import Store

BAG = Reference(
    name=BAG_OF_WORDS,
    learns="labels",
    num_parameters=100,
    latency=builders.latency(),
    loss_nats=1.5,
    loss_stderr_nats=0.1,
    metrics={"accuracy": Metric(value=0.8, stderr=0.01)},
)
FAILED = Reference(name=HALF_DEPTH, learns="teacher", error=ErrorDetail(code="non_finite_loss", message="nan"))


def test_what_was_stored_is_read_in_order(store: Store) -> None:
    job = claimed(store)
    assert store.references(job.id) == []
    for each in (BAG, FAILED):
        store.add_reference(job.id, "owner", each, NOW)
    assert store.references(job.id) == [BAG, FAILED]


def test_the_first_of_a_name_stays(store: Store) -> None:
    job = claimed(store)
    store.add_reference(job.id, "owner", BAG, NOW)
    store.add_reference(job.id, "owner", Reference(name=BAG_OF_WORDS, learns="teacher"), NOW)
    assert store.references(job.id) == [BAG]


def test_jobs_have_their_own(store: Store) -> None:
    claimed(store, "job-1")
    claimed(store, "job-2")
    store.add_reference("job-1", "owner", BAG, NOW)
    store.add_reference("job-2", "owner", FAILED, NOW)
    assert (store.references("job-1"), store.references("job-2")) == ([BAG], [FAILED])


def test_one_that_has_lost_the_job_adds_none(store: Store) -> None:
    job = claimed(store)
    with pytest.raises(ConflictError):
        store.add_reference(job.id, "another", BAG, NOW)
    assert store.references(job.id) == []


def test_they_are_no_candidates_but_tell_that_a_job_gets_on(store: Store) -> None:
    job = claimed(store)
    before = store.count_recorded(job.id)
    store.add_reference(job.id, "owner", BAG, NOW)
    assert store.count_recorded(job.id) == before + 1
    assert store.count_candidates(job.id) == {}


def test_they_go_with_their_job(store: Store) -> None:
    job = claimed(store)
    store.add_reference(job.id, "owner", BAG, NOW)
    store.finish_job(job.id, "owner", JobStatus.SUCCEEDED, NOW)
    store.delete_job(job.id, [], NOW)
    assert store.references(job.id) == []
