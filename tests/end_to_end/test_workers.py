"""`ose distill --workers 2` beside the same distillation in one process.

Tests workers/ray/train.py, workers/ray/train_worker.py and workers/ray/process_group.py too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from events import read_curves
from processes import eventually, listening_addresses, train_workers
from processes import ose as start

import ose as package

pytestmark = pytest.mark.ray

STEPS = 8


class Interrupt:
    """A progress that is interrupted once some steps are done, as Ctrl-C would."""

    def __init__(self, after_step: int) -> None:
        self._left = after_step

    def stage(self, title: str, total: int) -> None:
        pass

    def advance(self, steps: int = 1, note: str = "") -> None:
        self._left -= steps
        if self._left == 0:
            raise KeyboardInterrupt

    def say(self, message: str) -> None:
        pass


@contextmanager
def workspace(home: Path, progress: Any = None) -> Iterator[package.Workspace]:
    with package.Workspace(home, progress) as opened:
        yield opened


RECIPE = {
    "steps": STEPS,
    "batch_size": 6,
    "micro_batch_size": 2,
    "checkpoint_every": 2,
    "precision": "float32",
    "learning_rate": 5e-3,
    "evaluate_every": 4,
}


def search(job: dict[str, Any], home: Path, **changes: float) -> tuple[Path, str]:
    """A home with a finished job, whose distillation follows the recipe but for the changes."""
    with workspace(home) as opened:
        return home, opened.run(opened.submit({**job, "distillation": {**RECIPE, **changes}}).id).id


@pytest.fixture
def searched(job: dict[str, Any], tmp_path: Path) -> tuple[Path, str]:
    """A home with a finished job whose distillation has three micro-batches a step."""
    return search(job, tmp_path / "home")


def losses_of(home: Path) -> dict[str, dict[int, float]]:
    [logs] = (home / "artifacts" / "distillations").glob("*/logs")
    return read_curves(logs)


@pytest.mark.long
def test_two_workers_go_on_where_one_stopped_and_follow_its_curve(searched: tuple[Path, str], tmp_path: Path) -> None:
    home, job_id = searched
    other = tmp_path / "other"
    shutil.copytree(home, other)
    with workspace(home) as opened:
        alone = opened.distill(job_id)
    with workspace(other, Interrupt(after_step=3)) as opened, pytest.raises(KeyboardInterrupt):
        opened.distill(job_id)

    addresses: set[str] = set()
    with start(other, "distill", job_id, "--workers", "2", "--format", "json") as run:
        process = psutil.Process(run.pid)
        assert eventually(lambda: run.poll() is not None or len(train_workers(process)) == 2, within_s=120)
        while run.poll() is None:
            addresses |= listening_addresses(process)
        told, complaints = run.communicate()
    assert run.returncode == 0, complaints
    together = json.loads(told)
    assert addresses == {"127.0.0.1"}
    assert all(line.startswith(("Distilling", "next:")) for line in complaints.splitlines())
    assert f"{STEPS}/{STEPS}" in complaints

    assert together["result"]["loss_nats"] == pytest.approx(alone.result.loss_nats, rel=1e-4)
    assert Path(together["folder"]).name == Path(alone.folder).name
    expected, seen = losses_of(home), losses_of(other)
    assert sorted(seen["total"]) == list(range(1, STEPS + 1))
    for name, curve in expected.items():
        assert seen[name] == pytest.approx(curve, rel=1e-4), name


@pytest.mark.long("another run of Ray Train; divergence on Ray is in the contract of backends")
def test_a_loss_that_diverges_in_the_workers_is_told_and_stored(job: dict[str, Any], tmp_path: Path) -> None:
    """A decay of a hundred thousand times itself turns every weight round and makes it as many times larger."""
    home, job_id = search(job, tmp_path / "home", learning_rate=100, weight_decay=1000)
    with start(home, "distill", job_id, "--workers", "2") as run:
        _, told = run.communicate(timeout=180)
    assert run.returncode == 2
    assert "error: the loss is nan at step" in told
    assert "Traceback" not in told
    with workspace(home) as opened:
        [distillation] = opened.store.distillations(job_id)
    assert distillation.failure is not None
    assert distillation.failure.code == "non_finite_loss"
    assert "in require_finite" in distillation.failure.traceback  # raised in a worker, and told here


def test_more_workers_than_micro_batches_are_refused(searched: tuple[Path, str], ose) -> None:
    home, job_id = searched
    refused = ose("--home", home, "distill", job_id, "--workers", "4")
    assert refused.status == 2
    assert "4 workers cannot share 3 micro-batches a step" in refused.complaint
    with workspace(home) as opened:
        assert opened.store.distillations(job_id) == []
