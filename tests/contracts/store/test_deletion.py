"""A deleted job is gone with all its rows, and what it leaves of files is on record."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Event, Thread

import builders
import pytest
from builders import NOW
from services import add_finished_job
from stored import LATER, SOON, claimed

from ose.core.exports import Export, ExportFile
from ose.core.job import DistillationStatus, JobStatus
from ose.core.leftovers import Leftover
from ose.core.recipe import DistillationSpec
from ose.errors import ConflictError, NotFoundError
from ose.store.base import Store
from ose.store.service_base import Submission

SPEC = DistillationSpec()
TEACHER = builders.teacher_facts().digest
DATA = Leftover(name="search-data/a", teacher=TEACHER, since=NOW)


def _export(distillation_id: int) -> Export:
    return Export(
        id=distillation_id,
        job_id="job-1",
        candidate_number=1,
        architecture=builders.architecture(),
        folder="/export",
        files=(ExportFile(name="config.json", size_bytes=2, sha256="0" * 64),),
        max_logit_difference=1e-7,
        created_at=NOW,
    )


def test_nothing_of_a_deleted_job_is_left_and_all_of_another_is(store: Store) -> None:
    for job_id in ("job-1", "job-2"):
        add_finished_job(store, job_id)
        made = store.add_distillation(job_id, 1, SPEC, f"/{job_id}", NOW)
        store.finish_distillation(made.id, NOW, result=builders.distillation_result())
    [distillation] = store.distillations("job-1")
    store.add_export(_export(distillation.id))
    kept = store.job("job-2"), store.candidates("job-2"), store.trials("job-2", 1), store.distillations("job-2")
    store.delete_job("job-1", [DATA], NOW)
    assert store.jobs() == [kept[0]] and store.leftovers() == [DATA]
    assert store.candidates("job-1") == store.trials("job-1", 1) == store.distillations("job-1") == []
    assert store.exports("job-1") == [] and store.changes("job-1").figures == ()
    with pytest.raises(NotFoundError):
        store.job("job-1")
    with pytest.raises(NotFoundError):
        store.delete_job("job-1", [DATA], NOW)
    assert kept == (
        store.job("job-2"), store.candidates("job-2"), store.trials("job-2", 1), store.distillations("job-2")
    )  # fmt: skip


def test_a_key_is_free_again_once_its_job_is_deleted(store: Store) -> None:
    submission = Submission(caller="me", key="a", request_hash="1" * 64)
    store.add_job_once(builders.new_job("job-1"), submission)
    store.delete_job("job-1", [], NOW)
    assert store.submitted_job(submission) is None
    assert store.add_job_once(builders.new_job("job-2"), submission).id == "job-2"


def test_a_running_job_is_not_deleted_until_it_is_cancelled(store: Store) -> None:
    claimed(store)
    with pytest.raises(ConflictError, match="running; cancel it first"):
        store.delete_job("job-1", [DATA], LATER)
    assert store.leftovers() == [] and store.job("job-1").status is JobStatus.RUNNING
    store.cancel_job("job-1", NOW)
    store.delete_job("job-1", [DATA], NOW)


def test_whoever_ran_a_deleted_job_changes_nothing(store: Store) -> None:
    candidate = store.add_candidates(claimed(store).id, "owner", [builders.new_candidate()])[0]
    store.open_trial("job-1", "owner", candidate.id, "trial-1", "worker", NOW)
    store.cancel_job("job-1", NOW)
    store.delete_job("job-1", [], NOW)
    assert not store.record_success("trial-1", builders.evaluation(), None, NOW)
    assert not store.renew_lease("job-1", "owner", LATER) and not store.release_job("job-1", "owner")
    assert not store.finish_job("job-1", "owner", JobStatus.SUCCEEDED, NOW)
    with pytest.raises(ConflictError):
        store.add_candidates("job-1", "owner", [builders.new_candidate(2)])
    assert store.candidates("job-1") == []


def test_a_job_whose_student_is_being_distilled_is_not_deleted(store: Store) -> None:
    add_finished_job(store)
    made = store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW)
    store.claim_distillation("owner", NOW, SOON)
    with pytest.raises(ConflictError, match=f"distillation {made.id} of job job-1 is running"):
        store.delete_job("job-1", [], NOW)
    store.delete_job("job-1", [], SOON + timedelta(seconds=1))  # its coordinator has died
    assert store.claim_distillation("other", LATER, LATER) is None


def test_a_distillation_that_waits_goes_with_its_job(store: Store) -> None:
    add_finished_job(store)
    store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW)
    store.delete_job("job-1", [], NOW)
    assert store.claim_distillation("owner", NOW, SOON) is None


def test_the_number_of_a_deleted_distillation_is_not_given_again(store: Store) -> None:
    """Else a coordinator that was away would end another's distillation with the student of the deleted one."""
    add_finished_job(store, "job-1")
    deleted = store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW)
    store.delete_job("job-1", [], NOW)
    add_finished_job(store, "job-2")
    made = store.request_distillation("job-2", 1, SPEC, "/b", 1, NOW)
    store.finish_distillation(deleted.id, NOW, result=builders.distillation_result())
    assert store.distillation(made.id).status is DistillationStatus.PENDING


def test_nothing_is_added_to_a_deleted_job(store: Store) -> None:
    add_finished_job(store)
    made = store.add_distillation("job-1", 1, SPEC, "/a", NOW)
    store.finish_distillation(made.id, NOW, result=builders.distillation_result())
    store.delete_job("job-1", [], NOW)
    with pytest.raises(NotFoundError):
        store.add_export(_export(made.id))
    with pytest.raises(NotFoundError):
        store.request_distillation("job-1", 1, SPEC, "/b", 1, NOW)
    with pytest.raises(NotFoundError):
        store.add_distillation("job-1", 1, SPEC, "/c", NOW)


def test_leftovers_stay_on_record_until_they_are_struck_off(store: Store) -> None:
    for job_id in ("job-1", "job-2"):
        store.add_job(builders.new_job(job_id))
    store.delete_job("job-1", [DATA], NOW)
    again = replace(DATA, since=LATER)
    store.delete_job("job-2", [again], LATER)
    assert store.leftovers() == [again]
    store.forget_leftovers([DATA])  # by one that knows nothing of the second deletion
    assert store.leftovers() == [again]
    store.forget_leftovers([again])
    assert store.leftovers() == []


def test_jobs_of_a_teacher_stand_still(store: Store) -> None:
    other = builders.teacher_facts(digest="e" * 64)
    store.add_job(builders.new_job("job-1"))
    store.add_job(builders.new_job("job-2", teacher=other))
    added = Event()

    def add() -> None:
        store.add_job(builders.new_job("job-3"))
        added.set()

    with store.jobs_standing_still([TEACHER]) as jobs:
        assert [job.id for job in jobs] == ["job-1"]
        adding = Thread(target=add)
        adding.start()
        assert not added.wait(0.3)
    assert added.wait(10)
    adding.join()
    with store.jobs_standing_still([]) as jobs:
        assert jobs == []


def test_of_a_claim_and_a_deletion_at_once_one_wins(store: Store) -> None:
    for number in range(20):
        store.add_job(builders.new_job(f"job-{number:02}"))
    start = Barrier(20)

    def act(number: int) -> str | None:
        start.wait()
        if number % 2:
            job = store.claim_next_job(f"owner-{number}", NOW, SOON)
            return job and f"claimed {job.id}"
        try:
            store.delete_job(f"job-{number // 2:02}", [], NOW)
        except ConflictError:
            return None
        return f"deleted job-{number // 2:02}"

    with ThreadPoolExecutor(20) as pool:
        outcomes = [outcome for outcome in pool.map(act, range(20)) if outcome]
    acted = [outcome.split()[1] for outcome in outcomes]
    assert len(acted) == len(set(acted))
    left = {job.id: job.status for job in store.jobs()}
    for outcome in outcomes:
        what, job_id = outcome.split()
        assert left.get(job_id) is (JobStatus.RUNNING if what == "claimed" else None)
    assert len(left) == 20 - sum(outcome.startswith("deleted") for outcome in outcomes)
