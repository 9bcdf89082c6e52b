"""Tests ose/core/masked_positions.py."""

from collections.abc import Sequence
from dataclasses import replace

import builders
import pytest

from ose.core.architecture import EmbeddingShape
from ose.core.cost import (
    LATENCY_S,
    JobCost,
    Pace,
    StageTimes,
    Work,
    candidate_flops,
    expected_times,
    item_tokens,
    pace_of,
    remaining_s,
    sequence_flops,
    training_flops,
)
from ose.core.job import Candidate, CandidateStatus, ItemFacts, Job, JobStatus
from ose.core.masked_positions import num_targets
from ose.core.spec import Hyperparameters, WorkersSpec
from ose.families.counts import FamilyCounts

WORK = Work(num_candidates=20, num_latencies=11, teacher_flops=4 * 10**9, training_flops=10**11)
PACE = Pace(job_id="job-0", flops_per_s=1e9, other_s=0.5, starting_s=6.0)
SMALL, LARGE = builders.architecture(1, 2, 32, 64), builders.architecture(4, 4, 128, 512)


def job(**changes: object) -> Job:
    new = builders.new_job(spec=builders.job_spec(workers=WorkersSpec(count=2)))
    fields = {name: getattr(new, name) for name in ("id", "spec", "spec_hash", "teacher", "corpus", "created_at")}
    return Job(**{**fields, "status": JobStatus.SUCCEEDED, **changes})


def candidate(number: int, shape: object, seconds: float | None = None, other_s: float = 0.25) -> Candidate:
    new = builders.new_candidate(number, architecture=shape, hyperparameters=Hyperparameters(batch_size=4))
    values = {name: getattr(new, name) for name in new.__dataclass_fields__}
    evaluation = None
    if seconds is not None:
        evaluation = builders.evaluation(training_time_s=seconds, wall_time_s=seconds + other_s)
    return Candidate(**values, id=number, job_id="job-1", status=CandidateStatus.SUCCEEDED, evaluation=evaluation)


def at_rate(flops_per_s: float, shapes: Sequence[object]) -> list[Candidate]:
    flops = [training_flops(shape, builders.COUNTS, 128, 40) for shape in shapes]
    return [
        candidate(n, shape, count / flops_per_s) for n, (shape, count) in enumerate(zip(shapes, flops, strict=True))
    ]


def test_a_step_is_three_forward_passes_with_the_head_at_the_targets_alone() -> None:
    forward = builders.COUNTS.flops(SMALL, 128) + builders.COUNTS.head_flops(SMALL, 19)
    assert num_targets(128) == 19
    assert sequence_flops(SMALL, builders.COUNTS, 128) == forward
    assert training_flops(SMALL, builders.COUNTS, 128, 7) == 3 * 7 * forward


def test_a_row_is_as_long_as_rows_are_and_its_head_is_run_once() -> None:
    embedding = EmbeddingShape(vocab_size=1000, max_position_embeddings=130, num_labels=3)
    counts = FamilyCounts(embedding, "text_classification", positions=lambda num_tokens: 1)
    forward = counts.flops(SMALL, 13) + counts.head_flops(SMALL, 1)
    assert sequence_flops(SMALL, counts, 13) == forward < sequence_flops(SMALL, builders.COUNTS, 13)
    items = ItemFacts(
        num_rows=9,
        num_bad=0,
        mean_tokens=13.4,
        median_tokens=11,
        p95_tokens=33,
        train_cut_share=0.0,
        held_out_cut_share=0.0,
        overlap_share=None,
        unseen_labels=(),
    )
    of_rows = job(corpus=replace(job().corpus, items=items))
    assert (item_tokens(of_rows), item_tokens(job())) == (13, 128)
    assert candidate_flops(of_rows, counts, candidate(1, SMALL)) == 3 * 40 * forward
    unknown = job(corpus=replace(job().corpus, items=replace(items, mean_tokens=None)))
    assert item_tokens(unknown) == 128


def test_workers_share_what_can_be_shared() -> None:
    assert expected_times(WORK, PACE, 1) == StageTimes(preparing_s=6 + 4 + 11 * LATENCY_S, training_s=100 + 10)
    assert expected_times(WORK, PACE, 2) == StageTimes(preparing_s=6 + 2 + 11 * LATENCY_S, training_s=55)
    assert expected_times(WORK, PACE, 1).total_s == 131


def test_the_pace_of_a_job_gives_its_own_time_back() -> None:
    candidates = at_rate(2e9, [SMALL, LARGE, LARGE])
    work = replace(
        WORK,
        num_candidates=3,
        training_flops=sum(training_flops(each.architecture, builders.COUNTS, 128, 40) for each in candidates),
    )
    pace = pace_of(job(), builders.COUNTS, candidates, work, preparing_s=20.0)
    assert pace is not None
    assert (pace.flops_per_s, pace.other_s) == (pytest.approx(2e9), pytest.approx(0.25))
    assert pace.starting_s == pytest.approx(20 - 11 * LATENCY_S - 1)  # two workers, 4e9 operations
    times = expected_times(work, pace, 2)
    whole_s = sum(each.evaluation.wall_time_s for each in candidates if each.evaluation)
    assert (times.preparing_s, times.training_s) == (pytest.approx(20), pytest.approx(whole_s / 2))


def test_a_job_that_prepared_faster_than_is_counted_started_in_no_time() -> None:
    pace = pace_of(job(), builders.COUNTS, at_rate(1e9, [SMALL]), WORK, preparing_s=3.0)
    assert pace is not None and pace.starting_s == 0


def test_a_job_that_trained_nothing_has_no_pace() -> None:
    assert pace_of(job(), builders.COUNTS, [candidate(1, SMALL)], WORK, preparing_s=3.0) is None
    assert remaining_s(job(), builders.COUNTS, [], [candidate(1, SMALL)]) is None


def test_what_is_left_is_weighed_by_its_operations() -> None:
    ended = at_rate(1e9, [SMALL, SMALL])
    small, large = (remaining_s(job(), builders.COUNTS, ended, [candidate(9, shape)]) for shape in (SMALL, LARGE))
    flops = [training_flops(shape, builders.COUNTS, 128, 40) for shape in (SMALL, LARGE)]
    assert small == pytest.approx((flops[0] / 1e9 + 0.25) / 2)
    assert large == pytest.approx((flops[1] / 1e9 + 0.25) / 2)


def test_the_error_is_known_afterwards() -> None:
    expected, taken = StageTimes(preparing_s=4.0, training_s=6.0), StageTimes(preparing_s=5.0, training_s=7.0)
    assert JobCost(work=WORK, pace=PACE, expected=expected, taken=taken).error == pytest.approx(0.2)
    assert JobCost(work=WORK, expected=expected).error is None
    assert JobCost(work=WORK, taken=taken).error is None
