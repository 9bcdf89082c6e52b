"""A coordinator whose wall clock jumps. What counts is the database's time, and how long it has been."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from clocks import DAY_S, JumpingClock, why_no_jumping_clock
from fault_jobs import all_trials, job_file
from processes import eventually, ose

from ose.core.job import JobStatus, TrialStatus
from ose.store.base import Store
from ose.store.database import open_store
from ose.workspace import Workspace

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(bool(why_no_jumping_clock()), reason=str(why_no_jumping_clock())),
]


@pytest.fixture
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that every command of the test uses."""
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    with closing(open_store(store_url)) as store:
        yield store


@pytest.mark.long
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_clock_that_jumps_takes_no_job_from_its_coordinator(
    store: Store, tmp_path: Path, tiny_roberta: Path, real_text: list[str]
) -> None:
    clock = JumpingClock(tmp_path / "clock")
    with Workspace(tmp_path) as workspace:
        job_id = workspace.submit(job_file(tmp_path, tiny_roberta, real_text)).id
    with ose(tmp_path, "coordinator", more=clock.environment), ose(tmp_path, "coordinator", more=clock.environment):
        assert eventually(lambda: bool(all_trials(store)), within_s=120)
        clock.jump_to(DAY_S)
        assert eventually(lambda: len(all_trials(store)) > 3, within_s=120)
        clock.jump_to(-DAY_S)
        assert eventually(lambda: store.job(job_id).status.is_terminal, within_s=120)
    job = store.job(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert job.finished_at is not None and abs((store.now() - job.finished_at).total_seconds()) < 120
    assert [trial.status for _, trial in all_trials(store)] == [TrialStatus.SUCCEEDED] * 8
