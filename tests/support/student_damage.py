"""What can go wrong while a service distils a student."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from cluster import Cluster
from damage import kill_coordinator
from processes import eventually

from ose.client import parsing
from ose.client.remote import RemoteWorkspace
from ose.core.job import Distillation, DistillationStatus

_WITHIN_S = 300.0
_ENDS_WITHIN_S = 1800.0
"""How long a student takes says how busy the machine is, and nothing of how well it recovers."""

_MAKE_ROOM = 'cp -a "$1" "$1.kept" && umount "$1" && cp -a "$1.kept/." "$1" && rm -r "$1.kept"'


def kill_distillation(cluster: Cluster, dice: Random, job_id: str, candidate: int) -> float:
    """Kill the coordinator that distils. Returns how long it took until there was a newer checkpoint."""
    with cluster.client() as remote:
        student = ask(remote, job_id, candidate)
        known = checkpoints(cluster)
        assert eventually(lambda: bool(checkpoints(cluster) - known), _WITHIN_S), "the distillation never begins"
        time.sleep(dice.uniform(0, 1))
        start, known = time.monotonic(), checkpoints(cluster)
        kill_coordinator(cluster, dice)
        assert eventually(lambda: bool(checkpoints(cluster) - known) or is_over(remote, student), _WITHIN_S)
        took_s = time.monotonic() - start
        assert_distilled(remote, student)
    return took_s


def fill_disk(cluster: Cluster, dice: Random, job_id: str, candidate: int) -> float:
    """Have no room for a checkpoint. Returns how long it took until a student was there, once there was room again."""
    with cluster.client() as remote:
        with little_room(cluster):
            student = ask(remote, job_id, candidate)
            assert eventually(lambda: is_over(remote, student), _WITHIN_S), "a full disk is not noticed"
            failure = state_of(remote, student).failure
            assert failure and "disk is full" in failure.message, failure
        start = time.monotonic()
        assert_distilled(remote, ask(remote, job_id, candidate))
    return time.monotonic() - start


def assert_distilled(remote: RemoteWorkspace, student: Distillation) -> None:
    """It succeeds in the end, and what is to be downloaded is whole."""
    assert eventually(lambda: is_over(remote, student), _ENDS_WITHIN_S), "the distillation never ends"
    ended = state_of(remote, student)
    assert ended.status is DistillationStatus.SUCCEEDED, ended.failure
    assert eventually(lambda: any(each["id"] == student.id for each in remote.exports(student.job_id)), _WITHIN_S)


def ask(remote: RemoteWorkspace, job_id: str, candidate: int) -> Distillation:
    """Ask for a student without waiting for it."""
    return parsing.distillation(remote._transport.post(f"/jobs/{job_id}/distillations", {"candidate": candidate}))


def state_of(remote: RemoteWorkspace, student: Distillation) -> Distillation:
    return next(each for each in remote.distillations(student.job_id) if each.id == student.id)


def is_over(remote: RemoteWorkspace, student: Distillation) -> bool:
    return state_of(remote, student).status.is_terminal


def checkpoints(cluster: Cluster) -> set[Path]:
    return {each for each in distillations_folder(cluster).glob("*/checkpoints/step-*") if each.suffix == ""}


def distillations_folder(cluster: Cluster) -> Path:
    return cluster.volume / "home" / "artifacts" / "distillations"


@contextmanager
def little_room(cluster: Cluster) -> Iterator[None]:
    """The coordinators keep students on a disk that holds a checkpoint or two; afterwards what it held has room."""
    folder = distillations_folder(cluster)
    folder.mkdir(parents=True, exist_ok=True)
    cluster.control.run("mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder))
    yield
    cluster.control.run("sh", "-c", _MAKE_ROOM, "sh", str(folder))
