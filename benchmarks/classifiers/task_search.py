"""Searches as `ose job run` makes them, and the choice that their boards speak for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ose
from benchmarks.classifiers.sizes import Axes, StudySizes, TaskSizes
from ose.core.architecture import Architecture
from ose.core.job import Candidate, Job, JobStatus
from ose.core.layer_subsets import LayerQuestion
from ose.families.counts import counts_of

_FLOPS_MARGIN = 1.15
"""Fewer heads take less time than operations say; of more operations than this times the target none is in it."""


def job_content(teacher: Path, splits: Path, sizes: TaskSizes, study: StudySizes, **changes: Any) -> dict[str, Any]:
    """A job file of a classifier's search. One worker of one core: the study is what runs several times."""
    return {
        "teacher": {"model": str(teacher), "as_is": study.as_is},
        "corpus": {
            "train": [str(splits / "train.csv")],
            "validation": [str(splits / "validation.csv")],
            "columns": sizes.columns.named(),
            "sequence_length": sizes.sequence_length,
        },
        "space": dict(sizes.space),
        "search": {"steps": study.steps, "held_out_sequences": study.held_out_items, "keep_checkpoints": 0},
        "latency": {"sequence_length": study.latency_tokens, "max_attempts": 1},
        "references": "off",
        **changes,
    }


def finished_job(workspace: ose.Workspace, name: str, content: Mapping[str, Any]) -> Job:
    """The job of this name: found, gone on with, or run."""
    known = next((job for job in workspace.jobs(10_000) if job.name == name), None)
    job = known or workspace.submit({**content, "name": name})
    job = job if job.status is JobStatus.SUCCEEDED else workspace.run(job.id)
    if job.status is not JobStatus.SUCCEEDED:
        raise RuntimeError(f"{name} ended as {job.status}: {job.failure}")
    return job


def searched(workspace: ose.Workspace, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """What a search found."""
    job = finished_job(workspace, name, content)
    return {
        "job": job.id,
        "median_tokens": job.corpus.items.median_tokens if job.corpus.items else None,
        "teacher": asdict(job.teacher.architecture),
        "teacher_flops": counts_of(job.teacher).flops(job.teacher.architecture, job.spec.latency.num_tokens),
        "teacher_loss_nats": job.teacher_quality.entropy_nats if job.teacher_quality else None,
        "cost_s": sum(each.evaluation.wall_time_s for each in _evaluated(workspace, job) if each.evaluation),
        "candidates": [_row(each) for each in _evaluated(workspace, job)],
    }


def _evaluated(workspace: ose.Workspace, job: Job) -> list[Candidate]:
    return [each for each in workspace.store.candidates(job.id) if each.evaluation is not None]


def _row(candidate: Candidate) -> dict[str, Any]:
    assert candidate.evaluation is not None and candidate.latency is not None
    return {
        "candidate": candidate.number,
        **asdict(candidate.architecture),
        "layers": candidate.layers,
        "num_parameters": candidate.num_parameters,
        "flops": candidate.flops,
        "loss_nats": candidate.evaluation.loss_nats,
        "loss_stderr_nats": candidate.evaluation.loss_stderr_nats,
        "latency_p50_ms": candidate.latency.p50_ms,
        "latency_is_flagged": candidate.latency.is_flagged,
        "item_losses_nats": [round(loss, 5) for loss in candidate.evaluation.sequence_losses_nats],
    }


def shape_of(row: Mapping[str, Any]) -> Architecture:
    """The shape that a row tells of."""
    return Architecture(**{name: row[name] for name in Architecture.__dataclass_fields__})


def choose(search: Mapping[str, Any], target: float, share_of: Callable[[Architecture], float]) -> dict[str, Any]:
    """The candidate nearest to the teacher among those within a share of its latency.

    Args:
        search: What `searched` gave.
        target: The share.
        share_of: The share that a shape has.
    """
    most_flops = target * _FLOPS_MARGIN * search["teacher_flops"]
    for row in sorted(search["candidates"], key=lambda each: each["loss_nats"]):
        if row["flops"] <= most_flops and (share := share_of(shape_of(row))) <= target:
            return {**row, "job": search["job"], "share": share}
    raise RuntimeError(f"no candidate within {target:.3f} of the teacher's latency")


def best_layers(workspace: ose.Workspace, name: str, content: Mapping[str, Any], keep: int) -> dict[str, Any]:
    """What `ose layers` says of so many layers."""
    report = workspace.layers({**content, "name": name}, LayerQuestion(keep=keep))
    rows: Sequence[Any] = report.rows
    return {"layers": list(report.best.layers), "rows": [asdict(row) for row in rows]}


def single(shape: Architecture, layers: str | list[int] | None) -> Axes | dict[str, Any]:
    """A space of one shape that keeps these layers; None leaves them to the job."""
    space: dict[str, Any] = {
        "num_hidden_layers": [shape.num_hidden_layers],
        "num_attention_heads": [shape.num_attention_heads],
        "hidden_size": [shape.hidden_size],
        "intermediate_size": [shape.intermediate_size],
    }
    return space if layers is None else {**space, "layers": [layers]}
