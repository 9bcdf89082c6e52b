"""Estimates from what earlier jobs have left in a real database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import builders
import pytest
from fake_backend import FakeBackend
from fake_search import MEMBERS, Search, spec

from ose.core.cost import JobCost, sequence_flops, training_flops
from ose.core.measurement import LatencyProtocol
from ose.core.spec import ExtendedCandidate, Extension, Hyperparameters, JobSpec, Limits
from ose.jobs.estimate import job_cost
from ose.store.base import Store
from ose.store.database import open_store

LATER = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


def cost(store: Store, job_id: str) -> JobCost:
    return job_cost(store, store.job(job_id))


def submitted_after(store: Store, first: Search, wanted: JobSpec, **changes: object) -> str:
    """A job submitted a minute after the first one has ended."""
    first.clock.advance(LATER)
    store.add_job(builders.new_job("job-2", spec=wanted, created_at=first.clock(), **changes))
    return "job-2"


def test_a_first_job_is_counted_and_no_time_guessed(store: Store) -> None:
    search = Search(store, spec(epsilon=3, hyperparameters=(Hyperparameters(), Hyperparameters(batch_size=8))))
    found = cost(store, search.job_id)
    shapes = MEMBERS[::3]
    assert (found.work.num_candidates, found.work.num_latencies) == (2 * len(shapes), len(shapes) + 1)
    flops = (training_flops(shape, builders.COUNTS, 128, 10 * size) for shape in shapes for size in (32, 8))
    assert found.work.training_flops == sum(flops)
    assert found.work.teacher_flops > 0
    assert (found.pace, found.expected, found.taken) == (None, None, None)


def test_members_above_the_limit_on_parameters_cost_nothing(store: Store) -> None:
    sizes = sorted(builders.new_candidate(architecture=shape).num_parameters for shape in MEMBERS)
    wanted = replace(spec(), limits=Limits(max_parameters=sizes[2]))
    assert cost(store, Search(store, wanted).job_id).work.num_candidates == sum(size <= sizes[2] for size in sizes)


def test_the_same_job_again_has_only_training_to_do(store: Store) -> None:
    first = Search(store)
    first.run()
    again = cost(store, submitted_after(store, first, spec())).work
    assert (again.num_candidates, again.num_latencies, again.teacher_flops) == (len(MEMBERS), 0, 0)


def test_what_no_earlier_job_has_done_counts(store: Store) -> None:
    first = Search(store, spec(epsilon=2))
    first.run()
    wanted = spec(steps=20)
    alone = cost(store, first.job_id).work
    other = cost(store, submitted_after(store, first, wanted)).work
    assert other.num_latencies == len(MEMBERS) - len(MEMBERS[::2])
    targets = (20 * 32 + 128) * sequence_flops(store.job("job-1").teacher.architecture, builders.COUNTS, 128)
    assert other.teacher_flops == targets  # the calibration is there already
    assert alone.teacher_flops > targets / 2


def test_a_latency_under_another_protocol_is_another_one(store: Store) -> None:
    first = Search(store)
    first.run()
    wanted = replace(spec(), latency=LatencyProtocol(threads=2))
    assert cost(store, submitted_after(store, first, wanted)).work.num_latencies == len(MEMBERS) + 1


def test_a_job_is_expected_to_go_at_the_pace_of_one_before_and_held_against_it(store: Store) -> None:
    first = Search(store)
    first.run()
    wanted = spec()
    second = Search(store, wanted, "job-0", first.clock)  # no job is an earlier one's past: both were submitted at once
    assert cost(store, second.job_id).pace is None
    job_id = submitted_after(store, first, wanted)
    before = cost(store, job_id)
    assert before.pace is not None and before.pace.job_id == "job-1"
    assert before.expected is not None and before.expected.training_s == pytest.approx(3.0 * len(MEMBERS))
    first.coordinator(FakeBackend()).run(job_id)
    after = cost(store, job_id)
    assert (after.pace, after.expected) == (before.pace, before.expected)
    assert after.taken is not None and after.error == -1  # the clock stood still


def test_jobs_on_other_workers_say_nothing_about_these(store: Store) -> None:
    first = Search(store)
    first.run()
    wanted = replace(spec(), workers=replace(spec().workers, cpus=4))
    assert cost(store, submitted_after(store, first, wanted)).pace is None


def test_halving_trains_all_a_little_and_few_to_the_end(store: Store) -> None:
    every, halving = spec(steps=90), spec(steps=90, strategy="halving", min_steps=10, eta=4)
    plain = cost(store, Search(store, every).job_id).work
    work = cost(store, Search(store, halving, "job-2").job_id).work
    num_members = len(MEMBERS)
    survivors = -(-num_members // 4)
    assert work.num_candidates == num_members + survivors
    share = (num_members * 22 + survivors * 68) / (num_members * 90)
    assert work.training_flops == pytest.approx(share * plain.training_flops)


def test_an_extension_has_the_steps_to_do_that_are_new(store: Store) -> None:
    first = Search(store)
    first.run()
    [candidate, *_] = first.candidates()
    extended = ExtendedCandidate(
        candidate=1, architecture=candidate.architecture, hyperparameters=Hyperparameters(), layers=None, phases=(10,)
    )
    wanted = replace(spec(steps=25), extends=Extension(job="job-1", candidates=(extended,), data_steps=(10,)))
    work = cost(store, submitted_after(store, first, wanted)).work
    assert (work.num_candidates, work.num_latencies) == (1, 0)
    assert work.training_flops == training_flops(candidate.architecture, builders.COUNTS, 128, 15 * 32)
    teacher = builders.teacher_facts().architecture
    assert work.teacher_flops == 15 * 32 * sequence_flops(teacher, builders.COUNTS, 128)
