"""Distilled students side by side: a table, its CSV, and their learning curves as a picture.

    python benchmarks/students/compare_students.py --home results --output results/report \
        --students "searched=3f9c:1" "hand-picked=77aa:2"

A student is LABEL=JOB:DISTILLATION, the second number as `ose distill --format json` prints it under `id`. Losses are
compared with the first student's in pairs, held-out sequence by held-out sequence; all must have been judged on the same
ones. Latencies are measured here, teacher and students in turn, a few rounds of them: leave the machine alone meanwhile.
Writes students.md, students.csv, latencies.csv, curves.csv and curves.svg (needs the extra `report`).
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import ose
from benchmarks.shared.tables import write_csv
from ose.core.job import Candidate, Distillation, DistillationResult, Job
from ose.core.measurement import LatencyMeasurement
from ose.core.significance import paired_difference
from ose.distillation.curve import read_curve


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
    parser.add_argument("--rounds", type=int, default=3, help="of latency measurements")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def find(workspace: ose.Workspace, text: str) -> Student:
    label, place = text.rsplit("=", 1)
    job_id, number = place.split(":")
    job = workspace.job(job_id)
    [distillation] = [each for each in workspace.store.distillations(job.id) if each.id == int(number)]
    candidate = workspace.store.candidate(job.id, distillation.candidate_number)
    return Student(label=label, job=job, candidate=candidate, distillation=distillation)


def measured(workspace: ose.Workspace, students: list[Student], rounds: int) -> dict[str, list[LatencyMeasurement]]:
    """By label, each round's, in turn: a load that comes and goes hits all alike."""
    job = students[0].job
    models = {"teacher": Path(job.teacher.path)}
    models |= {student.label: Path(student.distillation.folder) / "student" for student in students}
    latencies: dict[str, list[LatencyMeasurement]] = {label: [] for label in models}
    for _ in range(rounds):
        for label, model in models.items():
            latencies[label].append(workspace.latency(model, job.spec.latency)[0].latency)
    return latencies


def latency_rows(latencies: dict[str, list[LatencyMeasurement]]) -> list[dict[str, Any]]:
    return [
        {
            "model": label, "round": number, "p50_ms": each.p50_ms, "p90_ms": each.p90_ms, "is_flagged": each.is_flagged,
            "load_before": each.load_before, "samples_ms": " ".join(f"{sample:.3f}" for sample in each.samples_ms),
        }
        for label, rounds in latencies.items()
        for number, each in enumerate(rounds, 1)
    ]  # fmt: skip


def middle(rounds: list[LatencyMeasurement]) -> dict[str, float]:
    return {
        "latency_p50_ms": median(each.p50_ms for each in rounds),
        "latency_p90_ms": median(each.p90_ms for each in rounds),
    }


def row(student: Student, first: Student, latency: dict[str, float]) -> dict[str, Any]:
    candidate, result, quality = student.candidate, student.result, student.job.teacher_quality
    assert quality is not None
    accuracy, teachers = (each.metrics["masked_accuracy"] for each in (result, quality))
    gap = paired_difference(result.sequence_losses_nats, first.result.sequence_losses_nats)
    return {
        "student": student.label,
        "architecture": str(candidate.architecture),
        "num_parameters": candidate.num_parameters,
        **latency,
        "loss_nats": result.loss_nats,
        "loss_stderr_nats": result.loss_stderr_nats,
        "difference_nats": gap.mean_nats,
        "difference_stderr_nats": gap.stderr_nats,
        "masked_lm_loss_nats": result.metrics["masked_lm_loss_nats"].value,
        "masked_accuracy": accuracy.value,
        "masked_accuracy_stderr": accuracy.stderr,
        "share_of_teachers_accuracy": accuracy.value / teachers.value,
        "num_steps": result.num_steps,
        "wall_time_s": result.wall_time_s,
    }


def table(rows: list[dict[str, Any]], job: Job, teachers: dict[str, float]) -> str:
    quality = job.teacher_quality
    assert quality is not None
    lines = [
        "| student | D, A, H, I | parameters | p50 (p90) ms | loss, nats | against the first, in pairs | right | of the teacher's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| teacher | {job.teacher.architecture} | {job.teacher.num_parameters:,} | {teachers['latency_p50_ms']:.2f} "
        f"({teachers['latency_p90_ms']:.2f}) | {quality.entropy_nats:.3f} ± {quality.entropy_stderr_nats:.3f} | | "
        f"{quality.metrics['masked_accuracy'].value:.1%} | 100 % |",
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


def draw(points: list[dict[str, Any]], floor_nats: float, file: Path) -> None:
    """Divergence from the teacher, the loss less the teacher's own entropy, against the share of the budget."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    labels = list(dict.fromkeys(point["student"] for point in points))
    figure, axes = pyplot.subplots(figsize=(8, 5.2), layout="constrained")
    for label, marker in zip(labels, itertools.cycle("os^Dvp"), strict=False):
        own = [point for point in points if point["student"] == label]
        shares = [point["step"] / own[-1]["step"] for point in own]
        divergences = [point["loss_nats"] - floor_nats for point in own]
        axes.plot(shares, divergences, marker=marker, markersize=4, linewidth=1.2, label=label)
    axes.set(xlabel="share of the budget", ylabel="held-out divergence from the teacher, nats", yscale="log")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_yticks([0.1, 0.2, 0.5, 1, 2, 5], labels=["0.1", "0.2", "0.5", "1", "2", "5"])
    axes.set_yticks([], minor=True)
    axes.grid(alpha=0.3, which="both")
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    figure.savefig(file, facecolor="white")


def main() -> None:
    options = parse_arguments()
    with ose.Workspace(options.home) as workspace:
        students = [find(workspace, text) for text in options.students]
        latencies = measured(workspace, students, options.rounds)
    options.output.mkdir(parents=True, exist_ok=True)
    write_csv(options.output / "latencies.csv", latency_rows(latencies))
    rows = [row(student, students[0], middle(latencies[student.label])) for student in students]
    write_csv(options.output / "students.csv", rows)
    text = table(rows, students[0].job, middle(latencies["teacher"]))
    (options.output / "students.md").write_text(text, encoding="utf8")
    curves = [(student, read_curve(Path(student.distillation.folder) / "curve.csv")) for student in students]
    points = [{"student": student.label, **point} for student, curve in curves for point in curve]
    write_csv(options.output / "curves.csv", points)
    quality = students[0].job.teacher_quality
    assert quality is not None
    draw(points, quality.entropy_nats, options.output / "curves.svg")
    print(text)


if __name__ == "__main__":
    main()
