import pytest

from ose.cli.cost_text import duration, expected_line, taken_line
from ose.core.cost import JobCost, Pace, StageTimes, Work

WORK = Work(num_candidates=20, num_latencies=11, teacher_flops=10**9, training_flops=4 * 10**14)
PACE = Pace(job_id="3f9c", flops_per_s=1e9, other_s=0.5, starting_s=6.0)
EXPECTED = StageTimes(preparing_s=40.0, training_s=560.0)


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.42, "0.4 s"), (89, "89 s"), (90, "1.5 min"), (1800, "30 min"), (7200, "2.0 h")]
)
def test_durations_are_told_in_the_unit_people_would_use(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_an_estimate_tells_its_parts_and_where_its_pace_is_from() -> None:
    assert expected_line(JobCost(work=WORK, pace=PACE, expected=EXPECTED)) == (
        "cost: 20 candidates, 400 TFLOP of training; about 10 min: 40 s up to the first candidate "
        "(11 latencies to measure), 9.3 min of training, at the pace of job 3f9c"
    )


def test_without_a_pace_nothing_is_guessed() -> None:
    line = expected_line(JobCost(work=WORK))
    assert line.startswith("cost: 20 candidates, 400 TFLOP of training; ") and "none was on such workers" in line


@pytest.mark.parametrize(
    ("training_s", "error"), [(680.0, "20% more than expected"), (440.0, "20% less than expected")]
)
def test_the_time_taken_is_held_against_the_estimate(training_s: float, error: str) -> None:
    taken = StageTimes(preparing_s=40.0, training_s=training_s)
    line = taken_line(JobCost(work=WORK, pace=PACE, expected=EXPECTED, taken=taken))
    assert line is not None and line.endswith(f"; {error}")
    line = taken_line(JobCost(work=WORK, taken=taken))
    assert line is not None and line.endswith("of training")
    assert taken_line(JobCost(work=WORK)) is None
