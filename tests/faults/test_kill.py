"""Real processes, really killed: a job goes on from where it was, with no result lost, doubled or redone.

Tests ose/__main__.py too.
"""

from __future__ import annotations

import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from fault_jobs import LONG, all_trials, job_file
from processes import are_gone, eventually, ose

from ose.core.job import CandidateStatus, JobStatus, TrialStatus
from ose.store.base import Store
from ose.store.database import open_store

SEED = 20261121


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{home}/ose.db")
    yield store
    store.close()


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders go: a short path, because Ray's sockets are in them."""
    with tempfile.TemporaryDirectory(prefix="ose") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def kill_when(is_time: Callable[[], bool], delay_s: float, home: Path, *arguments: str) -> list[psutil.Process]:
    """Run a command, and kill it a moment after `is_time`. Returns what ran below it."""
    with ose(home, *arguments) as run:
        assert eventually(lambda: run.poll() is not None or is_time(), within_s=120)
        time.sleep(delay_s)
        children = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
        run.send_signal(signal.SIGKILL)
    return children


def resume(home: Path, job_id: str) -> None:
    with ose(home, "job", "resume", job_id) as run:
        _, told = run.communicate(timeout=240)
    assert run.returncode == 0, told


def has_finished(store: Store, count: int) -> bool:
    return len(successes(store)) >= count


def successes(store: Store) -> dict[str, int]:
    """The candidates' numbers by the ids of the trials that scored them."""
    return {trial.id: number for number, trial in all_trials(store) if trial.status is TrialStatus.SUCCEEDED}


def assert_whole(home: Path, store: Store) -> None:
    [job] = store.jobs()
    assert job.status is JobStatus.SUCCEEDED
    assert {each.status for each in store.candidates(job.id)} == {CandidateStatus.SUCCEEDED}
    assert sorted(successes(store).values()) == list(range(1, 9))
    assert {trial.status for _, trial in all_trials(store)} <= {TrialStatus.SUCCEEDED, TrialStatus.INTERRUPTED}
    assert list(home.rglob("*.partial")) == []


@pytest.mark.long
def test_a_job_killed_again_and_again_goes_on_from_where_it_was(
    home: Path, store: Store, tmp_path: Path, tiny_roberta: Path, real_text: list[str]
) -> None:
    dice = random.Random(SEED)
    command = ["job", "run", str(job_file(tmp_path, tiny_roberta, real_text))]
    moments: list[Callable[[], bool]] = [(home / "artifacts" / "search-data").exists]
    moments += [partial(has_finished, store, count) for count in sorted(dice.sample(range(1, 7), 2))]
    kept: dict[str, int] = {}
    for is_time in moments:
        assert are_gone(kill_when(is_time, dice.uniform(0, 0.3), home, *command), within_s=30)
        assert kept.items() <= successes(store).items()
        kept = successes(store)
        [job] = store.jobs()
        command = ["job", "resume", job.id]
    if job.status is not JobStatus.SUCCEEDED:
        resume(home, job.id)
    assert kept.items() <= successes(store).items()
    assert_whole(home, store)


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(
    home: Path, store: Store, tmp_path: Path, tiny_roberta: Path, real_text: list[str]
) -> None:
    long = job_file(tmp_path, tiny_roberta, real_text, **LONG)
    with ose(home, "job", "run", str(long)) as run:
        assert eventually(lambda: bool(all_trials(store)), within_s=120)
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=30)
    [job] = store.jobs()
    assert run.returncode == 130
    assert f"ose job resume {job.id}" in told
    assert "Traceback" not in told
    assert (job.status, job.lease_owner) == (JobStatus.PENDING, None)
    assert {trial.status for _, trial in all_trials(store)} == {TrialStatus.INTERRUPTED}


@pytest.mark.long("`make test` has an interrupt, and cancels in one process")
def test_a_cancel_from_another_process_stops_a_run_within_seconds(
    home: Path, store: Store, tmp_path: Path, tiny_roberta: Path, real_text: list[str]
) -> None:
    long = job_file(tmp_path, tiny_roberta, real_text, **LONG)
    with ose(home, "job", "run", str(long)) as run:
        assert eventually(lambda: bool(all_trials(store)), within_s=120)
        with ose(home, "job", "cancel", store.jobs()[0].id) as cancel:
            assert cancel.wait(timeout=30) == 0
        _, told = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "cancelled" in told
    assert store.jobs()[0].status is JobStatus.CANCELLED


@pytest.mark.long("two more clusters; the same without Ray stays, and so do workers of Ray Train that are killed")
@pytest.mark.ray
def test_with_ray_a_killed_coordinator_takes_its_workers_along_and_the_job_goes_on(
    home: Path, store: Store, tmp_path: Path, tiny_roberta: Path, real_text: list[str], scratch: Path
) -> None:
    file = job_file(tmp_path, tiny_roberta, real_text, workers={"count": 2})
    processes = kill_when(partial(has_finished, store, 2), 0.0, home, "job", "run", str(file))
    kept = successes(store)
    assert processes
    assert len(list(scratch.iterdir())) == 1
    resume(home, store.jobs()[0].id)
    assert kept.items() <= successes(store).items()
    assert_whole(home, store)
    assert are_gone(processes, within_s=100)  # Ray's two agents wait a minute for their cluster
    assert list(scratch.iterdir()) == []
