"""Distilled students side by side: a table, its CSV, and their learning curves as a picture.

    python benchmarks/compare_students.py --home results --output results/report \
        --students "searched=3f9c:1" "hand-picked=77aa:2"

A student is LABEL=JOB:DISTILLATION, the second number as `ose distill --format json` prints it under `id`. Losses are
compared with the first student's in pairs, held-out sequence by held-out sequence; all must have been judged on the same
ones. Writes students.md, students.csv, curves.csv and curves.svg (needs the extra `report`).
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ose
from ose.core.comparison import paired_difference
from ose.core.job import Candidate, Distillation, DistillationResult, Job
from ose.pipelines.curve import read_curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """A finished distillation, with the candidate it is of."""

    label: str
    job: Job
    candidate: Candidate
    distillation: Distillation

    @property
    def result(self) -> DistillationResult:
        """What came of it."""
        assert self.distillation.result is not None
        return self.distillation.result


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path("results"))
    parser.add_argument("--students", nargs="+", required=True, metavar="LABEL=JOB:DISTILLATION")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def find(workspace: ose.Workspace, text: str) -> Student:
    label, place = text.rsplit("=", 1)
    job_id, number = place.split(":")
    job = workspace.job(job_id)
    [distillation] = [each for each in workspace.store.distillations(job.id) if each.id == int(number)]
    candidate = workspace.store.candidate(job.id, distillation.candidate_number)
    return Student(label=label, job=job, candidate=candidate, distillation=distillation)


def row(student: Student, first: Student) -> dict[str, Any]:
    candidate, result, quality = student.candidate, student.result, student.job.teacher_quality
    assert candidate.latency is not None and quality is not None
    gap = paired_difference(result.sequence_losses_nats, first.result.sequence_losses_nats)
    return {
        "student": student.label,
        "architecture": str(candidate.architecture),
        "num_parameters": candidate.num_parameters,
        "latency_p50_ms": candidate.latency.p50_ms,
        "latency_p90_ms": candidate.latency.p90_ms,
        "loss_nats": result.loss_nats,
        "loss_stderr_nats": result.loss_stderr_nats,
        "difference_nats": gap.mean_nats,
        "difference_stderr_nats": gap.stderr_nats,
        "masked_lm_loss_nats": result.masked_lm_loss_nats,
        "masked_accuracy": result.masked_accuracy,
        "masked_accuracy_stderr": result.masked_accuracy_stderr,
        "share_of_teachers_accuracy": result.masked_accuracy / quality.masked_accuracy,
        "num_steps": result.num_steps,
        "wall_time_s": result.wall_time_s,
    }


def table(rows: list[dict[str, Any]], job: Job) -> str:
    quality, latency = job.teacher_quality, job.teacher_latency
    assert quality is not None and latency is not None
    lines = [
        "| student | D, A, H, I | parameters | p50 (p90) ms | loss, nats | against the first, in pairs | right | of the teacher's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| teacher | {job.teacher.architecture} | {job.teacher.num_parameters:,} | {latency.p50_ms:.2f} ({latency.p90_ms:.2f}) "
        f"| {quality.entropy_nats:.3f} ± {quality.entropy_stderr_nats:.3f} | | {quality.masked_accuracy:.1%} | 100 % |",
    ]
    for index, each in enumerate(rows):
        gap = f"{each['difference_nats']:+.3f} ± {each['difference_stderr_nats']:.3f}" if index else ""
        lines.append(
            f"| {each['student']} | {each['architecture']} | {each['num_parameters']:,} "
            f"| {each['latency_p50_ms']:.2f} ({each['latency_p90_ms']:.2f}) "
            f"| {each['loss_nats']:.3f} ± {each['loss_stderr_nats']:.3f} | {gap} "
            f"| {each['masked_accuracy']:.1%} ± {each['masked_accuracy_stderr']:.1%} | {each['share_of_teachers_accuracy']:.1%} |"
        )
    return "\n".join(lines) + "\n"


def write_csv(file: Path, rows: list[dict[str, Any]]) -> None:
    with file.open("w", newline="", encoding="utf8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def draw(points: list[dict[str, Any]], floor_nats: float, file: Path) -> None:
    """Held-out loss against steps; the dashed line is the teacher's own entropy, the least there is."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.8), layout="constrained")
    for label in dict.fromkeys(point["student"] for point in points):
        own = [point for point in points if point["student"] == label]
        axes.plot([p["step"] for p in own], [p["loss_nats"] for p in own], marker="o", markersize=3, label=label)
    axes.axhline(floor_nats, color="grey", linestyle="--", linewidth=1, label="teacher's entropy")
    axes.set(xlabel="steps", ylabel="held-out cross-entropy to the teacher, nats", yscale="log")
    axes.yaxis.set_major_formatter("{x:.1f}")
    axes.yaxis.set_minor_formatter("{x:.1f}")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    figure.savefig(file, facecolor="white")


def main() -> None:
    options = parse_arguments()
    with ose.Workspace(options.home) as workspace:
        students = [find(workspace, text) for text in options.students]
    options.output.mkdir(parents=True, exist_ok=True)
    rows = [row(student, students[0]) for student in students]
    write_csv(options.output / "students.csv", rows)
    (options.output / "students.md").write_text(table(rows, students[0].job), encoding="utf8")
    curves = [(student, read_curve(Path(student.distillation.folder) / "curve.csv")) for student in students]
    points = [{"student": student.label, **point} for student, curve in curves for point in curve]
    write_csv(options.output / "curves.csv", points)
    quality = students[0].job.teacher_quality
    assert quality is not None
    draw(points, quality.entropy_nats, options.output / "curves.svg")
    print((options.output / "students.md").read_text(encoding="utf8"))


if __name__ == "__main__":
    main()
