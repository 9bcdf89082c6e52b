"""Nothing lives outside the database."""

from __future__ import annotations

import builders
from builders import NOW
from stored import end_candidate

from ose.core.job import Candidate
from ose.core.recipe import DistillationSpec
from ose.store.base import Store
from ose.store.database import open_store


def test_a_store_opened_again_has_everything(store: Store, store_url: str, candidate: Candidate) -> None:
    latency = store.add_latency("shape", "protocol", "device", builders.latency(), NOW)
    store.attach_latency("job-1", "owner", [candidate.id], latency.id)
    store.record_teacher("job-1", "owner", quality=builders.teacher_quality(), latency_id=latency.id)
    end_candidate(store, candidate, "succeeded")
    store.add_distillation("job-1", 1, DistillationSpec(), "/folder", NOW)
    before = _everything(store)
    store.close()
    again = open_store(store_url)
    assert _everything(again) == before
    again.close()


def _everything(store: Store) -> tuple[object, ...]:
    jobs = store.jobs()
    return (
        jobs,
        [store.candidates(job.id) for job in jobs],
        [store.trials(job.id, 1) for job in jobs],
        store.latency("shape", "protocol", "device"),
        [store.distillations(job.id) for job in jobs],
    )
