"""A disk that is full while a checkpoint is written: told in a line, nothing half written, and gone on from there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_jobs import job_file
from machines import Machine, network, why_no_machines
from processes import ROOT

from ose.workspace import Workspace

pytestmark = pytest.mark.skipif(bool(why_no_machines()), reason=f"no disk can be mounted here: {why_no_machines()}")

ONE = {"num_hidden_layers": [1], "num_attention_heads": [2], "hidden_size": [16], "intermediate_size": [32]}
RECIPE = {"steps": 120, "batch_size": 4, "checkpoint_every": 20}
ROOM_FOR_TWO, ROOM = "size=480k", "size=16m"


@pytest.fixture
def searched(tmp_path: Path, tiny_roberta: Path, real_text: list[str]) -> tuple[Path, str]:
    """A home with a finished job of one candidate."""
    changes = {"space": {"name": "one", **ONE}, "search": {"steps": 1, "held_out_sequences": 8}}
    file = job_file(tmp_path, tiny_roberta, real_text, distillation=RECIPE, **changes)
    with Workspace(tmp_path / "home") as workspace:
        return tmp_path / "home", workspace.run(workspace.submit(file).id).id


@pytest.fixture
def machine() -> Iterator[Machine]:
    with network() as lan:
        yield lan.machine("alone")


def distill(machine: Machine, home: Path, job_id: str) -> tuple[int, str]:
    environment = {"OSE_HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with machine.popen(sys.executable, "-m", "ose", "distill", job_id, environment=environment, **pipes) as run:
        told, _ = run.communicate(timeout=240)
    return run.returncode, told


@pytest.mark.long
def test_a_distillation_goes_on_once_there_is_room(searched: tuple[Path, str], machine: Machine) -> None:
    home, job_id = searched
    folder = home / "artifacts" / "distillations"
    folder.mkdir(parents=True, exist_ok=True)
    machine.run("mount", "-t", "tmpfs", "-o", ROOM_FOR_TWO, "tmpfs", str(folder))
    status, told = distill(machine, home, job_id)
    assert status != 0 and "the disk is full" in told and "Traceback" not in told, told
    left = machine.run("find", str(folder)).split()
    kept = {Path(name).name for name in left if "/step-" in name}
    assert any(name.startswith("step-") for name in kept), left
    assert not [name for name in left if ".partial" in name]

    machine.run("mount", "-o", f"remount,{ROOM}", str(folder))
    status, told = distill(machine, home, job_id)
    assert status == 0, told
    assert ".partial" not in machine.run("find", str(folder))
