"""Coordinators that share a queue, as real processes on a real server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fault_jobs import all_trials, job_file
from processes import eventually, ose

from ose.core.job import JobStatus, TrialStatus
from ose.store.base import Store
from ose.store.database import open_store
from ose.workspace import Workspace


@pytest.fixture
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that every command of the test uses."""
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    with closing(open_store(store_url)) as store:
        yield store


@pytest.mark.long
@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_a_terminated_coordinator_hands_its_job_to_another(
    store: Store, tmp_path: Path, tiny_roberta: Path, real_text: list[str]
) -> None:
    with Workspace(tmp_path) as workspace:
        job_id = workspace.submit(job_file(tmp_path, tiny_roberta, real_text)).id
    with ose(tmp_path, "coordinator") as first, ose(tmp_path, "coordinator") as second:
        assert eventually(lambda: bool(all_trials(store)), within_s=120)
        owner = store.job(job_id).lease_owner
        runs, waits = (first, second) if owner and f":{first.pid}:" in owner else (second, first)
        runs.send_signal(signal.SIGTERM)
        _, told = runs.communicate(timeout=30)
        assert runs.returncode == 0 and f"job {job_id} handed back" in told, told
        assert eventually(lambda: store.job(job_id).status.is_terminal, within_s=120)
        waits.send_signal(signal.SIGTERM)
        _, told = waits.communicate(timeout=30)
        assert waits.returncode == 0 and f"job {job_id} succeeded" in told, told
    assert store.job(job_id).status is JobStatus.SUCCEEDED
    statuses = [trial.status for _, trial in all_trials(store)]
    assert statuses.count(TrialStatus.SUCCEEDED) == 8
    assert set(statuses) <= {TrialStatus.SUCCEEDED, TrialStatus.INTERRUPTED}
