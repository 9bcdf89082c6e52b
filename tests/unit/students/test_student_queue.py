"""A distillation that never gets on fails; one that does is claimed as often as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fake_backend import Death
from fake_search import Clock
from services import add_finished_job

from ose.coordinator.lease import LEASE_S
from ose.core.job import Distillation, DistillationResult, DistillationStatus
from ose.store.base import Store
from ose.store.database import open_store
from ose.students.student_queue import StudentQueue

Strike = Callable[[Path], None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        add_finished_job(store)
        yield store


@pytest.fixture
def queue_of(store: Store, tmp_path: Path) -> Callable[[Strike], StudentQueue]:
    """A coordinator's queue whose distillations end as told; each claim comes when the lease before it has ended."""
    clock = Clock()

    def made(strike: Strike) -> StudentQueue:
        def distill(_workers: int, _job: Any, _candidate: Any, _spec: Any, folder: Path) -> DistillationResult:
            strike(folder)
            raise AssertionError("it dies before")

        clock.advance(LEASE_S + 1)
        return StudentQueue(store, tmp_path, distill, lambda *_: pytest.fail("nothing is exported"), clock)

    return made


def die(_folder: Path) -> None:
    raise Death


def ran(queue: StudentQueue) -> Distillation:
    distillation = queue.run_next()
    assert distillation is not None
    return distillation


def test_a_distillation_under_which_three_coordinators_died_fails_with_that_reason(
    queue_of: Callable[[Strike], StudentQueue],
) -> None:
    asked = queue_of(die).request("job-1")
    for _ in range(3):
        with pytest.raises(Death):
            queue_of(die).run_next()
    ended = ran(queue_of(die))
    assert (ended.id, ended.status) == (asked.id, DistillationStatus.FAILED) and ended.failure is not None
    assert ended.failure.code == "abandoned" and "this distillation" in ended.failure.message
    assert "OSE_MAX_CLAIMS" in ended.failure.message


def test_who_asks_again_has_it_tried_again(queue_of: Callable[[Strike], StudentQueue]) -> None:
    queue_of(die).request("job-1")
    for _ in range(3):
        with pytest.raises(Death):
            queue_of(die).run_next()
    assert ran(queue_of(die)).status is DistillationStatus.FAILED
    assert queue_of(die).request("job-1").status is DistillationStatus.PENDING
    with pytest.raises(Death):
        queue_of(die).run_next()


def test_one_that_reaches_another_checkpoint_is_claimed_as_often_as_it_takes(
    queue_of: Callable[[Strike], StudentQueue],
) -> None:
    queue_of(die).request("job-1")
    for step in range(1, 8):

        def get_on_and_die(folder: Path, step: int = step) -> None:
            (folder / "checkpoints" / f"step-{step:08d}").mkdir(parents=True)
            raise Death

        with pytest.raises(Death):
            queue_of(get_on_and_die).run_next()
    for _ in range(2):  # the first claim after the last checkpoint still found something new
        with pytest.raises(Death):
            queue_of(die).run_next()
    with pytest.raises(Death):
        queue_of(die).run_next()
    assert ran(queue_of(die)).status is DistillationStatus.FAILED


def test_one_that_was_handed_back_in_good_order_has_lost_no_claim(
    queue_of: Callable[[Strike], StudentQueue],
) -> None:
    def interrupt(_folder: Path) -> None:
        raise KeyboardInterrupt

    queue_of(die).request("job-1")
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            queue_of(interrupt).run_next()
    with pytest.raises(Death):
        queue_of(die).run_next()
