from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import builders
import pytest
from fake_backend import FakeBackend
from fake_search import MEMBERS, TEACHER, Search

from ose.core.job import Distillation, Job
from ose.core.measurement import DeviceFingerprint
from ose.core.recipe import DistillationSpec
from ose.errors import EvaluationError
from ose.store.base import Store
from ose.store.database import open_store
from ose.students.latency import with_better_latency

ODD = MEMBERS[3]


class Told:
    """What progress is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, title: str, total: int) -> None: ...

    def advance(self, steps: int = 1, note: str = "") -> None: ...

    def say(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


@pytest.fixture
def search(store: Store) -> Search:
    return Search(store)


def distilled(search: Search) -> Distillation:
    number = search.candidate(ODD).number
    return search.store.add_distillation(search.job_id, number, DistillationSpec(), "/folder", builders.NOW)


def shown(search: Search, backend: FakeBackend, told: Told, output: Path = Path("/nowhere/yet")) -> Job:
    job = search.store.job(search.job_id)
    return with_better_latency(search.store, job, distilled(search), output, search.coordinator(backend), told)


@pytest.mark.parametrize("noisy", [ODD, TEACHER])
def test_what_is_noisy_of_student_or_teacher_is_measured_again(noisy: object, search: Search) -> None:
    search.run(FakeBackend(flagged=frozenset({noisy})))
    job = shown(search, FakeBackend(), Told())
    latency = search.candidate(ODD).latency
    assert latency is not None and not latency.is_flagged
    assert job.teacher_latency is not None and not job.teacher_latency.is_flagged


def test_for_another_candidates_noise_nothing_is_measured(search: Search) -> None:
    search.run(FakeBackend(flagged=frozenset({MEMBERS[0]})))
    backend = FakeBackend()
    assert shown(search, backend, Told()) == search.store.job(search.job_id)
    assert backend.measured == []


def test_for_an_export_that_will_be_refused_nothing_is_measured(search: Search, tmp_path: Path) -> None:
    search.run(FakeBackend(flagged=frozenset({ODD})))
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "of somebody else").touch()
    backend = FakeBackend()
    shown(search, backend, Told(), tmp_path / "student")
    assert backend.measured == []
    shown(search, backend, Told(), tmp_path / "free")
    assert backend.measured == [TEACHER, ODD]


@pytest.mark.parametrize(
    ("fingerprint", "latencies"),
    [
        (builders.fingerprint(processor="Another CPU"), {}),
        (builders.fingerprint(), {TEACHER: [EvaluationError("no such kernel")]}),
    ],
)
def test_what_cannot_be_measured_here_is_shown_as_it_is(
    fingerprint: DeviceFingerprint, latencies: dict, search: Search
) -> None:
    search.run(FakeBackend(flagged=frozenset({ODD})))
    told = Told()
    shown(search, FakeBackend(fingerprint=fingerprint, latencies=latencies), told)
    latency = search.candidate(ODD).latency
    assert latency is not None and latency.is_flagged
    assert told.lines and told.lines[0].startswith("latencies are not measured again: ")
