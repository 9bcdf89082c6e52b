"""What every Store promises a shared service: one job a key, one owner a distillation, tokens that end.

Tests ose/store/service_base.py, ose/store/service_tables.py, ose/store/submissions.py, ose/store/tokens.py,
ose/store/students.py, ose/core/access.py and ose/core/exports.py too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import builders
import pytest
from builders import NOW
from services import add_finished_job
from stored import LATER, SOON

from ose.core.access import Scope, Token
from ose.core.exports import Export, ExportFile
from ose.core.job import DistillationStatus, JobStatus
from ose.core.recipe import DistillationSpec
from ose.errors import ConflictError, NotFoundError
from ose.store.base import Store
from ose.store.database import connect
from ose.store.service_base import Submission

SUBMISSION = Submission(caller="me", key="a", request_hash="1" * 64)
SPEC = DistillationSpec()


def test_one_key_is_one_job_however_many_ask_at_once(store: Store) -> None:
    jobs = [builders.new_job(f"job-{number}") for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: store.add_job_once(job, SUBMISSION).id, jobs))
    assert len(set(found)) == 1
    assert [job.id for job in store.jobs()] == found[:1]
    assert store.submitted_job(SUBMISSION) == store.job(found[0])


def test_a_key_is_its_callers_own_and_stands_for_one_request(store: Store) -> None:
    store.add_job_once(builders.new_job("job-1"), SUBMISSION)
    other_caller = replace(SUBMISSION, caller="you")
    assert store.submitted_job(other_caller) is None
    assert store.add_job_once(builders.new_job("job-2"), other_caller).id == "job-2"
    with pytest.raises(ConflictError, match="another request"):
        store.add_job_once(builders.new_job("job-3"), replace(SUBMISSION, request_hash="2" * 64))
    assert len(store.jobs()) == 2


def test_candidates_and_jobs_are_counted_together(store: Store) -> None:
    add_finished_job(store, "job-1", count=2)
    store.add_job(builders.new_job("job-2"))
    assert store.count_candidates_of(["job-1", "job-2", "none"]) == {"job-1": store.count_candidates("job-1")}
    assert store.count_candidates_of([]) == {}
    assert store.count_jobs() == {"SUCCEEDED": 1, "PENDING": 1}


def test_how_jobs_stand_is_told_together(store: Store) -> None:
    for job_id in ("job-1", "job-2"):
        store.add_job(builders.new_job(job_id))
    store.claim_job("job-2", "owner", NOW, SOON)
    store.finish_job("job-2", "owner", JobStatus.FAILED, NOW, builders.failure())
    assert store.job_statuses(["job-1", "job-2", "none"]) == {
        "job-1": (JobStatus.PENDING, None),
        "job-2": (JobStatus.FAILED, store.job("job-2").failure),
    }
    assert store.job_statuses([]) == {}


def test_a_status_that_is_unknown_is_left_out(store: Store, store_url: str) -> None:
    for job_id in ("job-1", "job-2"):
        store.add_job(builders.new_job(job_id))
    with closing(connect(store_url)) as elsewhere, elsewhere.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET status = 'PAUSED' WHERE id = 'job-1'")
    assert store.job_statuses(["job-1", "job-2"]) == {"job-2": (JobStatus.PENDING, None)}


def test_only_a_stopped_job_is_queued_again(store: Store) -> None:
    store.add_job(builders.new_job("job-1"))
    assert not store.requeue_job("job-1")
    store.claim_job("job-1", "owner", NOW, SOON)
    assert not store.requeue_job("job-1")
    store.finish_job("job-1", "owner", JobStatus.FAILED, NOW, builders.failure())
    assert store.requeue_job("job-1")
    job = store.job("job-1")
    assert (job.status, job.failure, job.finished_at) == (JobStatus.PENDING, None, None)


def test_a_distillation_is_requested_once(store: Store) -> None:
    add_finished_job(store)
    first = store.request_distillation("job-1", 1, SPEC, "/a", 2, NOW)
    assert first.status is DistillationStatus.PENDING
    assert store.request_distillation("job-1", 1, SPEC, "/a", 2, NOW) == first
    assert store.distillation(first.id) == first
    with pytest.raises(NotFoundError):
        store.distillation(first.id + 1)


def test_those_who_ask_at_once_get_one(store: Store) -> None:
    add_finished_job(store)
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW), range(16)))
    assert store.distillations("job-1") == asked[:1] and len({each.id for each in asked}) == 1
    assert store.add_distillation("job-1", 1, SPEC, "/a", NOW) == asked[0]


def test_owners_that_ask_at_once_get_different_ones(store: Store) -> None:
    add_finished_job(store)
    made = [store.request_distillation("job-1", 1, SPEC, f"/{number}", 1, NOW).id for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda owner: store.claim_distillation(owner, NOW, SOON), "abcd"))
    assert sorted(claim[0].id for claim in claims if claim) == made


def test_one_that_failed_is_queued_anew_and_one_that_succeeded_is_not(store: Store) -> None:
    add_finished_job(store)
    made = store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW)
    store.claim_distillation("owner", NOW, SOON)
    store.finish_distillation(made.id, NOW, failure=builders.failure())
    again = store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW)
    assert (again.id, again.status, again.failure) == (made.id, DistillationStatus.PENDING, None)
    store.finish_distillation(made.id, NOW, result=builders.distillation_result())
    assert store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW).status is DistillationStatus.SUCCEEDED
    assert store.claim_distillation("owner", LATER, LATER) is None


def test_a_distillation_has_one_owner_until_its_lease_ends(store: Store) -> None:
    add_finished_job(store)
    made = store.request_distillation("job-1", 1, SPEC, "/a", 3, NOW)
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda owner: store.claim_distillation(owner, NOW, SOON), "abcd"))
    [(owner, claim)] = [(owner, claim) for owner, claim in zip("abcd", claims, strict=True) if claim]
    assert claim[0].id == made.id and claim[0].status is DistillationStatus.RUNNING and claim[1] == 3
    assert store.renew_distillation(made.id, owner, SOON) and not store.renew_distillation(made.id, "other", LATER)
    taken = store.claim_distillation("late", LATER, LATER + timedelta(minutes=1))
    assert taken is not None and not store.renew_distillation(made.id, owner, LATER)
    assert not store.release_distillation(made.id, owner) and store.release_distillation(made.id, "late")
    assert store.distillation(made.id).status is DistillationStatus.PENDING


def test_claims_of_a_distillation_are_counted_until_it_gets_on_or_is_handed_back(store: Store) -> None:
    def claim(owner: str) -> int:
        claimed = store.claim_distillation(owner, LATER, SOON)  # under a lease that has ended already
        assert claimed is not None
        return claimed[0].num_claims

    add_finished_job(store)
    made = store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW)
    assert made.num_claims == 0 and [claim(owner) for owner in "abc"] == [1, 2, 3]
    store.note_steps(made.id, "a", 7)  # does not hold it any more
    assert store.distillation(made.id).num_claims == 3
    store.note_steps(made.id, "c", 7)
    assert (store.distillation(made.id).num_claims, store.distillation(made.id).num_recorded) == (1, 7)
    assert claim("d") == 2 and store.release_distillation(made.id, "d")
    assert claim("e") == 1


def test_one_that_runs_in_the_foreground_is_never_taken(store: Store) -> None:
    add_finished_job(store)
    store.add_distillation("job-1", 1, SPEC, "/a", NOW)
    assert store.claim_distillation("owner", LATER, LATER) is None


def test_one_that_failed_under_a_coordinator_and_goes_on_in_the_foreground_is_not_taken(store: Store) -> None:
    add_finished_job(store)
    made = store.request_distillation("job-1", 1, SPEC, "/a", 1, NOW)
    store.claim_distillation("owner", NOW, SOON)
    store.finish_distillation(made.id, NOW, failure=builders.failure())
    store.reopen_distillation(made.id)
    assert store.claim_distillation("other", LATER, LATER) is None


def test_what_is_distilled_is_exported_once(store: Store) -> None:
    add_finished_job(store)
    made = store.add_distillation("job-1", 1, SPEC, "/a", NOW)
    assert store.unexported_distillations() == []
    store.finish_distillation(made.id, NOW, result=builders.distillation_result())
    assert [each.id for each in store.unexported_distillations()] == [made.id]
    export = Export(
        id=made.id,
        job_id="job-1",
        candidate_number=1,
        architecture=builders.architecture(),
        folder="/export",
        files=(ExportFile(name="config.json", size_bytes=2, sha256="0" * 64),),
        max_logit_difference=1e-7,
        created_at=NOW,
    )
    assert store.add_export(export) == export
    assert store.add_export(replace(export, folder="/other")) == export
    assert store.exports("job-1") == [export] and store.unexported_distillations() == []


def test_tokens_are_kept_by_digest_and_end(store: Store) -> None:
    token = Token(id="0a", name="me", scope=Scope.SUBMIT, created_at=NOW, expires_at=LATER)
    assert not store.has_tokens()
    store.add_token(token, "d" * 64)
    assert store.token("0a") == (token, "d" * 64) and store.token("0b") is None
    assert token.is_valid(SOON) and not token.is_valid(LATER)
    assert store.revoke_token("0a", SOON) and not store.revoke_token("0a", LATER)
    assert store.tokens() == [replace(token, revoked_at=SOON)] and store.has_tokens()
