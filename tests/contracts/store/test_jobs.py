"""Jobs are stored as they were submitted, found by the beginning of their id, and listed.

Tests ose/store/base.py, ose/store/sql.py and ose/store/columns.py too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import builders
import pytest
from builders import NOW
from stored import SOON, claimed

from ose.core.job import JobStatus
from ose.core.recipe import DistillationSpec, LossWeights
from ose.core.score import ScoreRule
from ose.errors import NotFoundError, StoreError
from ose.store.base import Store


def test_a_job_comes_back_as_it_was_submitted(store: Store) -> None:
    spec = builders.job_spec(
        score=ScoreRule(formula="excess", exponents=(1.0, 0.1, 1 / 3)),
        distillation=DistillationSpec(weights=LossWeights(cosine=0.0)),
    )
    new = builders.new_job("job-1", spec=spec)
    job = store.add_job(new)
    assert (job.id, job.status, job.spec, job.spec_hash) == ("job-1", JobStatus.PENDING, spec, new.spec_hash)
    assert (job.teacher, job.corpus, job.created_at) == (new.teacher, new.corpus, NOW)
    assert store.job("job-1") == job


def test_an_id_is_taken_once(store: Store) -> None:
    store.add_job(builders.new_job("job-1"))
    with pytest.raises(StoreError):
        store.add_job(builders.new_job("job-1"))


def test_an_unambiguous_beginning_finds_a_job(store: Store) -> None:
    for job_id in ("abc1", "abd2", "x_y"):
        store.add_job(builders.new_job(job_id))
    assert store.job("abc").id == "abc1"
    assert store.job("x_").id == "x_y"


@pytest.mark.parametrize("wanted", ["zzz", "", "ab", "ABC", "a%", "_bc", "abc11"])
def test_other_ids_find_none(store: Store, wanted: str) -> None:
    store.add_job(builders.new_job("abc1"))
    store.add_job(builders.new_job("abd2"))
    with pytest.raises(NotFoundError, match="job"):
        store.job(wanted)


def test_a_whole_id_is_never_ambiguous(store: Store) -> None:
    store.add_job(builders.new_job("abc1"))
    store.add_job(builders.new_job("abc"))
    assert store.job("abc").id == "abc"


def test_jobs_are_listed_newest_first(store: Store) -> None:
    for minute in (1, 3, 2):
        store.add_job(builders.new_job(f"job-{minute}", created_at=NOW + timedelta(minutes=minute)))
    assert [job.id for job in store.jobs()] == ["job-3", "job-2", "job-1"]
    assert [job.id for job in store.jobs(limit=2)] == ["job-3", "job-2"]


def test_jobs_of_one_spec_are_found(store: Store) -> None:
    for minute, spec_hash in enumerate("aba"):
        created_at = NOW + timedelta(minutes=minute)
        store.add_job(builders.new_job(f"job-{minute}", spec_hash=spec_hash, created_at=created_at))
    assert [job.id for job in store.jobs(spec_hash="a")] == ["job-2", "job-0"]
    assert store.jobs(spec_hash="c") == []


def test_times_come_back_as_utc_from_any_zone(store: Store) -> None:
    tokyo = timezone(timedelta(hours=9))
    store.add_job(builders.new_job("job-1", created_at=NOW.astimezone(tokyo)))
    job = store.claim_job("job-1", "owner", NOW.astimezone(tokyo), SOON.astimezone(tokyo))
    assert job is not None
    times = (job.created_at, job.started_at, job.lease_expires_at)
    assert times == (NOW, NOW, SOON)
    assert all(time is not None and time.tzinfo is UTC for time in times)


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="without a zone"):
        store.add_job(builders.new_job("job-1", created_at=datetime(2026, 1, 1)))


def test_what_is_measured_of_the_teacher_is_added_up(store: Store) -> None:
    claimed(store)
    latency = store.add_latency("shape", "protocol", "device", builders.latency(9.0), NOW)
    store.record_teacher("job-1", "owner", latency_id=latency.id)
    store.record_teacher("job-1", "owner", quality=builders.teacher_quality())
    store.record_teacher("job-1", "owner")
    job = store.job("job-1")
    assert (job.teacher_latency, job.teacher_quality) == (builders.latency(9.0), builders.teacher_quality())
