"""DistilBERT's ablation on a teacher of yours: the triple loss, without each of its parts, and from random weights.

    python benchmarks/ablation/ablation.py --teacher path/to/teacher --corpus 'text/*.txt' --steps 2000 --output results/ablation

One student, half the teacher's layers at full width, is distilled several times with the same steps, seed, batches and
masks. Differences to the full recipe are taken in pairs, held-out sequence by held-out sequence, since their errors
are far smaller than those of the two losses. What is done already in `--home` is not done again. Writes ablation.md,
ablation.csv and curves.csv. Source: arXiv 1910.01108, table 4, whose differences are in points of GLUE.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import ose
from benchmarks.shared.tables import write_csv
from ose.cli.progress_lines import terminal_progress
from ose.core.job import Distillation, Job, JobStatus
from ose.core.presets import PRESETS
from ose.core.recipe import DistillationSpec, Sequences
from ose.core.significance import paired_difference
from ose.core.spec import TeacherSpec
from ose.distillation.curve import read_curve
from ose.inputs.job_file import parse_job, spec_hash
from ose.inputs.teachers import inspect_teacher

FULL = "triple loss"
RUNS: dict[str, tuple[dict[str, Any], float]] = {
    FULL: ({}, 0.0),
    "without soft targets": ({"weights": {"soft_targets": 0.0}}, -2.96),
    "without cosine": ({"weights": {"cosine": 0.0}}, -1.46),
    "without masked LM": ({"weights": {"masked_lm": 0.0}}, -0.31),
    "random start": ({"initialization": "random"}, -3.69),
}
"""What each run changes, and the change of the GLUE score that the paper found."""


def parse_arguments() -> argparse.Namespace:
    defaults = DistillationSpec()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--corpus", nargs="+", required=True, help="files or globs of training text")
    parser.add_argument("--validation", nargs="*", default=[], help="files or globs of held-out text")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=defaults.batch_size)
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--held-out-sequences", type=int, default=256)
    parser.add_argument("--evaluate-every", type=int, default=0, help="steps between points of the curves; 0: twenty")
    parser.add_argument("--sequences", choices=get_args(Sequences), default=PRESETS["distilbert"]["sequences"])
    parser.add_argument(
        "--mask-smoothing", type=float, default=PRESETS["distilbert"]["mask_smoothing"], help="0 masks evenly"
    )
    parser.add_argument("--only", nargs="*", choices=RUNS, help="do these runs alone, and leave the tables for later")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--gpus", type=float, default=0)
    parser.add_argument("--home", type=Path, default=Path("results"), help="database and files, to go on with")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def job_of(workspace: ose.Workspace, options: argparse.Namespace) -> Job:
    """A finished job whose only candidate is the student: the one in the workspace, or a new one."""
    spec = parse_job(job_content(options), Path.cwd())
    known = [job for job in workspace.jobs(limit=1000) if job.spec_hash == spec_hash(spec)]
    job = known[0] if known else workspace.submit(spec)
    return job if job.status is JobStatus.SUCCEEDED else workspace.run(job.id)


def job_content(options: argparse.Namespace) -> dict[str, Any]:
    """A search among one, for its held-out targets; the student's own training there is a single step."""
    teacher = inspect_teacher(TeacherSpec(model=options.teacher)).architecture
    return {
        "name": "ablation",
        "teacher": {"model": options.teacher},
        "corpus": {
            "train": options.corpus,
            "validation": options.validation,
            "sequence_length": options.sequence_length,
        },
        "space": {
            "num_hidden_layers": [max(1, teacher.num_hidden_layers // 2)],
            "num_attention_heads": [teacher.num_attention_heads],
            "hidden_size": [teacher.hidden_size],
            "intermediate_size": [teacher.intermediate_size],
        },
        "search": {
            "steps": 1,
            "held_out_sequences": options.held_out_sequences,
            "inheritance": {"layers": "distilbert"},  # as in the paper
        },
        "workers": {"cpus": options.cpus, "gpus": options.gpus},
        "distillation": {
            "preset": "distilbert",
            "sequences": options.sequences,
            "mask_smoothing": options.mask_smoothing,
            "steps": options.steps,
            "batch_size": options.batch_size,
            "learning_rate": options.learning_rate,
            "evaluate_every": options.evaluate_every or max(1, options.steps // 20),
        },
    }


def table_row(name: str, published: float, run: Distillation, full: Distillation) -> dict[str, Any]:
    """One run's figures beside the full recipe's."""
    assert run.result is not None and full.result is not None
    accuracy = run.result.metrics["masked_accuracy"]
    difference = paired_difference(run.result.sequence_losses_nats, full.result.sequence_losses_nats)
    return {
        "run": name,
        "loss_nats": run.result.loss_nats,
        "loss_stderr_nats": run.result.loss_stderr_nats,
        "masked_accuracy": accuracy.value,
        "masked_accuracy_stderr": accuracy.stderr,
        "loss_difference_nats": difference.mean_nats,
        "loss_difference_stderr_nats": difference.stderr_nats,
        "published_glue_difference": published,
        "wall_time_s": run.result.wall_time_s,
    }


def markdown(rows: list[dict[str, Any]], job: Job, steps: int) -> str:
    """The table, for people."""
    quality = job.teacher_quality
    assert quality is not None
    lines = [
        f"{steps} steps; the teacher's own entropy is {quality.entropy_nats:.3f} nats, its accuracy "
        f"{quality.metrics['masked_accuracy'].value:.1%}. Differences are paired; above zero is worse than the triple loss.",
        "",
        "| run | held-out loss, nats | masked accuracy | difference, nats | published, GLUE points |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        difference = f"{row['loss_difference_nats']:+.3f} ± {row['loss_difference_stderr_nats']:.3f}"
        lines.append(
            f"| {row['run']} | {row['loss_nats']:.3f} ± {row['loss_stderr_nats']:.3f} "
            f"| {row['masked_accuracy']:.1%} ± {row['masked_accuracy_stderr']:.1%} "
            f"| {'' if row['run'] == FULL else difference} "
            f"| {'' if row['run'] == FULL else format(row['published_glue_difference'], '+.2f')} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    options = parse_arguments()
    with ose.Workspace(options.home, progress=terminal_progress()) as workspace:
        job = job_of(workspace, options)
        wanted = options.only or RUNS
        done = {name: workspace.distill(job.id, candidate=1, changes=RUNS[name][0]) for name in wanted}
    if options.only:
        return
    rows = [table_row(name, RUNS[name][1], run, done[FULL]) for name, run in done.items()]
    points = [{"run": name, **p} for name, run in done.items() for p in read_curve(Path(run.folder) / "curve.csv")]
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "ablation.md").write_text(markdown(rows, job, options.steps), encoding="utf8")
    write_csv(options.output / "ablation.csv", rows)
    write_csv(options.output / "curves.csv", points)
    print((options.output / "ablation.md").read_text(encoding="utf8"))


if __name__ == "__main__":
    main()
