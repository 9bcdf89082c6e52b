"""How the time of a search grows with its candidates, its steps, its workers and its teacher, and how well it was foreseen.

    python benchmarks/scale/scale.py --output results/scale

All searches run one after the other in one home, as a user's would: each finds what the earlier ones have measured, and is
estimated at their pace. Twice the candidates are the same shapes with two learning rates, so they are exactly twice the work.
Other teachers have random weights, which cost the same time as trained ones.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.shared.shapes import parse_shape
from benchmarks.shared.small_job import Run, conditions, job_content, run_job, write_report
from ose.inputs.quickstart_job import teacher_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is varied; the teacher is a model directory or D,A,H,I."""

    candidates: int = 1
    steps: int
    workers: int = 2
    teacher: str = ""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("results/scale-data"), help="text, teachers and the database")
    parser.add_argument("--epsilon", type=int, default=4, help="of the quickstart's space")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--held-out-sequences", type=int, default=96)
    parser.add_argument(
        "--shapes", nargs="*", default=["6,12,384,1536"], help="D,A,H,I of further teachers, at least the space's"
    )
    return parser.parse_args()


def settings(options: argparse.Namespace) -> list[Setting]:
    """The base first, which measures the latencies, and again last, by which one sees how steady the machine is."""
    steps = options.steps
    base = Setting(steps=steps)
    return [
        base,
        Setting(steps=steps, candidates=2),
        Setting(steps=steps, workers=1),
        Setting(steps=2 * steps),
        Setting(steps=4 * steps),
        *(Setting(steps=steps, teacher=shape) for shape in options.shapes),
        base,
    ]


def search(options: argparse.Namespace, setting: Setting) -> Run:
    rates = [1e-3, 5e-4][: setting.candidates]
    content = job_content(
        options.work,
        teacher={"model": str(teacher(options.work, setting.teacher))},
        search={
            "epsilon": options.epsilon,
            "steps": setting.steps,
            "held_out_sequences": options.held_out_sequences,
            "hyperparameters": [{"learning_rate": rate, "batch_size": options.batch_size} for rate in rates],
        },
        workers={"count": setting.workers, "backend": "ray"},
    )
    return run_job(options.work / "home", content)


def teacher(work: Path, shape: str) -> Path:
    """The quickstart's teacher, or one of another shape with its tokenizer and random weights, made once."""
    if not shape:
        return teacher_folder()
    folder = (work / f"teacher-{shape.replace(',', '-')}").absolute()
    if not folder.exists():
        import torch
        from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

        config = AutoConfig.from_pretrained(
            teacher_folder(),
            **asdict(parse_shape(shape)),
        )
        torch.manual_seed(0)
        AutoModelForMaskedLM.from_config(config).float().save_pretrained(folder)
        AutoTokenizer.from_pretrained(teacher_folder()).save_pretrained(folder)
    return folder


def row(setting: Setting, run: Run) -> dict[str, Any]:
    taken, expected = run.cost.taken, run.cost.expected
    assert taken is not None
    return {
        **asdict(setting),
        "candidates": len(run.candidates),
        "training_tflop": run.cost.work.training_flops / 1e12,
        "teacher_tflop": run.cost.work.teacher_flops / 1e12,
        "preparing_s": taken.preparing_s,
        "training_s": taken.training_s,
        "total_s": taken.total_s,
        "idle_share": 1 - run.work_s / setting.workers / run.training_s,
        "expected_s": expected.total_s if expected else None,
        "error": run.cost.error,
    }


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Of training times; the base is the mean of the first and the last run."""
    first, double, alone, *_, last = rows
    base_s = (first["training_s"] + last["training_s"]) / 2
    return {
        "twice the candidates over twice the time": double["training_s"] / base_s / 2,
        "one worker over two": alone["training_s"] / base_s,
        "the base again over the base": last["training_s"] / first["training_s"],
    }


TARGETS = {"twice the candidates over twice the time": "0.95 to 1.05", "one worker over two": "1.8 or more"}


def markdown(rows: list[dict[str, Any]], found: dict[str, float]) -> str:
    lines = [f"How searches scale: {conditions()}.", "", "| ratio | measured | target |", "| --- | --- | --- |"]
    lines += [f"| {name} | {value:.2f} | {TARGETS.get(name, '')} |" for name, value in found.items()]
    titles = (
        "candidates",
        "steps",
        "workers",
        "teacher",
        "training, TFLOP",
        "teacher, TFLOP",
        "up to the first candidate, s",
    )
    titles += ("training, s", "idle", "in all, s", "expected, s", "error")
    lines += ["", f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
    lines += [f"| {' | '.join(cells(each))} |" for each in rows]
    return "\n".join(lines) + "\n"


def cells(row: dict[str, Any]) -> list[str]:
    return [
        *(str(row[name]) for name in ("candidates", "steps", "workers")),
        row["teacher"] or "the quickstart's",
        *(f"{row[name]:.3g}" for name in ("training_tflop", "teacher_tflop")),
        *(f"{row[name]:.1f}" for name in ("preparing_s", "training_s")),
        f"{row['idle_share']:.0%}",
        f"{row['total_s']:.1f}",
        "" if row["expected_s"] is None else f"{row['expected_s']:.1f}",
        "" if row["error"] is None else f"{row['error']:+.0%}",
    ]


def main() -> None:
    options = parse_arguments()
    rows = [row(setting, search(options, setting)) for setting in settings(options)]
    found = ratios(rows)
    write_report(options.output, "scale", {"rows": rows, "ratios": found}, markdown(rows, found))


if __name__ == "__main__":
    main()
