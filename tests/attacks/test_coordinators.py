"""Coordinators struck by one event: a cancellation in the middle of an import, a clock that is set."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from fault_jobs import LONG, all_trials, job_file
from processes import ROOT, eventually, ose
from slow_imports import SlowImport

from ose.coordinator.owner import is_dead, new_owner
from ose.core.job import JobStatus, TrialStatus
from ose.store.base import Store
from ose.store.database import open_store

POISON = "a job cancelled in the middle of an import fails every later one"
STEP = "a clock that is set makes a living coordinator look dead"

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="needs namespaces, and so root",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    home.mkdir()
    with closing(open_store(f"sqlite:///{home / 'ose.db'}")) as store:
        yield store


def submitted(home: Path, file: Path) -> str:
    with ose(home, "job", "submit", str(file)) as submit:
        return submit.communicate(timeout=120)[0].strip()


def survives(store: Store, home: Path, slow: SlowImport, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel a job while its coordinator imports, and see the next one succeed in the same process."""
    first = submitted(home, file)
    monkeypatch.syspath_prepend(str(slow.folder))
    with ose(home, "coordinator") as run:
        assert eventually(lambda: slow.has_begun(run.pid), within_s=120)
        store.cancel_job(first, store.now())
        second = submitted(home, file)
        assert eventually(lambda: store.job(second).status.is_terminal, within_s=240)
        run.send_signal(signal.SIGTERM)
        told = run.communicate(timeout=60)
    assert store.job(second).status is JobStatus.SUCCEEDED, (store.job(second).failure, told)
    assert store.job(first).status is JobStatus.CANCELLED


@pytest.mark.flood
@pytest.mark.attack(door="coordinators", fault=POISON, how="as found")
def test_a_cancellation_waits_for_torch_to_be_imported(
    store: Store, home: Path, tmp_path: Path, tiny_roberta: Path, real_text: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowImport(tmp_path / "slow", "torch.nn")
    survives(store, home, slow, job_file(tmp_path, tiny_roberta, real_text), monkeypatch)


@pytest.mark.flood
@pytest.mark.attack(door="coordinators", fault=POISON, how="what a task imports only when it needs it")
def test_a_cancellation_waits_for_what_a_task_imports(
    store: Store, home: Path, tmp_path: Path, tiny_roberta: Path, real_text: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowImport(tmp_path / "slow", "transformers.models.roberta.modeling_roberta")
    survives(store, home, slow, job_file(tmp_path, tiny_roberta, real_text), monkeypatch)


@contextmanager
def coordinator_in(home: Path, *prefix: str) -> Iterator[subprocess.Popen[str]]:
    """A coordinator behind a command that changes what it sees; nothing of it is left."""
    environment = {**os.environ, "OSE_HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [*prefix, sys.executable, "-m", "ose", "coordinator"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as run:
        try:
            yield run
        finally:
            for process in [*psutil.Process(run.pid).children(recursive=True), run]:
                process.kill()


def is_left_alone(store: Store, home: Path, file: Path, *prefix: str) -> None:
    """A job whose coordinator lives is not taken by another one, which waits for whatever the first one leaves."""
    job = submitted(home, file)
    with ose(home, "coordinator") as runs:
        assert eventually(lambda: bool(all_trials(store)), within_s=120)
        owner = store.job(job).lease_owner
        with coordinator_in(home, *prefix) as waits:
            time.sleep(15)
            assert waits.poll() is None
        assert owner and f":{runs.pid}:" in owner and store.job(job).lease_owner == owner
    assert [trial.status for _, trial in all_trials(store)] == [TrialStatus.RUNNING]


@needs_namespaces
@pytest.mark.flood
@pytest.mark.attack(door="coordinators", fault=STEP, how="as found")
def test_a_clock_that_is_set_by_two_seconds_kills_no_coordinator(
    store: Store, home: Path, tmp_path: Path, tiny_roberta: Path, real_text: list[str]
) -> None:
    told = Path("/proc/stat").read_text()
    began = next(line for line in told.splitlines() if line.startswith("btime "))
    later = tmp_path / "stat"  # what the kernel tells once the clock has been set
    later.write_text(told.replace(began, f"btime {int(began.split()[1]) + 2}"))
    shifted = f'mount --bind {later} /proc/stat && exec "$@"'
    file = job_file(tmp_path, tiny_roberta, real_text, **LONG)
    is_left_alone(store, home, file, "unshare", "--mount", "sh", "-c", shifted, "sh")


@needs_namespaces
@pytest.mark.flood
@pytest.mark.attack(door="coordinators", fault=STEP, how="no clock, but a container whose processes have other numbers")
def test_a_coordinator_that_another_container_cannot_see_is_not_dead(
    store: Store, home: Path, tmp_path: Path, tiny_roberta: Path, real_text: list[str]
) -> None:
    file = job_file(tmp_path, tiny_roberta, real_text, **LONG)
    is_left_alone(store, home, file, "unshare", "--pid", "--fork", "--mount-proc")


@pytest.mark.attack(door="coordinators", fault=STEP, how="a coordinator of an earlier version, by its name")
@pytest.mark.parametrize("step_s", [-3600, -2, 2, 3600])
def test_a_living_process_of_an_earlier_version_is_not_dead(step_s: int) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        began_s = psutil.Process(process.pid).create_time()
        owner = f"{socket.gethostname()}:{process.pid}:{began_s + step_s:.0f}:00000000"
        assert not is_dead(owner)
        process.kill()
    assert is_dead(owner)


def test_a_dead_process_is_known_by_its_new_name() -> None:
    program = "from ose.coordinator.owner import new_owner; print(new_owner())"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    owner = run.stdout.strip()
    assert is_dead(owner) and not is_dead(new_owner())
    host, pid, _, *rest = owner.rsplit(":", 5)
    assert not is_dead(":".join([host, pid, "another-boot", *rest]))
