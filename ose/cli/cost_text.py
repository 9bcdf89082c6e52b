"""What a job costs, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ose.core.cost import JobCost

_UNITS = (("h", 3600), ("min", 60))


def expected_line(cost: JobCost) -> str:
    """What the job will cost."""
    work = cost.work
    counted = f"cost: {work.num_candidates} candidates, {work.training_flops / 1e12:,.3g} TFLOP of training"
    if cost.expected is None or cost.pace is None:
        return f"{counted}; how long it takes shows once candidates are trained: none was on such workers"
    prepared = f"{duration(cost.expected.preparing_s)} up to the first candidate"
    latencies = f" ({work.num_latencies} latencies to measure)" if work.num_latencies else ""
    return (
        f"{counted}; about {duration(cost.expected.total_s)}: {prepared}{latencies}, "
        f"{duration(cost.expected.training_s)} of training, at the pace of job {cost.pace.job_id}"
    )


def taken_line(cost: JobCost) -> str | None:
    """What it did cost, once it has ended."""
    if cost.taken is None:
        return None
    line = (
        f"took {duration(cost.taken.total_s)}: {duration(cost.taken.preparing_s)} up to the first candidate, "
        f"{duration(cost.taken.training_s)} of training"
    )
    if cost.expected is None or cost.error is None:
        return line
    return f"{line}; {abs(cost.error):.0%} {'more' if cost.error > 0 else 'less'} than expected"


def duration(seconds: float) -> str:
    """Two figures are enough to decide by."""
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= 1.5 * size), ("s", 1))
    value = seconds / size
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
