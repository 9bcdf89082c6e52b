"""A whole search for a classifier beside the one that a user would write instead, and beside the most that can be gained.

    python benchmarks/speed/classifier_speed.py --teacher DIR --train train.csv --validation validation.csv \
        --text text --label intent --work FOLDER --output results/speed

OSE's search runs first and last, each time in a new home; between them the plain one (`plain_classifier_search.py`). Both
train the same candidates from the same starts on the same items in the same precision, and both measure latencies. A task
has no vocabulary head to save, so all that there is to gain is the teacher: the ceiling is the plain search's time over the
same without the operations that it gives to its teacher, trial by trial. Writes classifier_speed.md and
classifier_speed.json. What is done already in `--work` is not done again. Needs `accelerate` for the plain search.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.search_speed import PLAIN_START, compare_losses, finished, run_search
from ose.core.architecture import Architecture
from ose.core.cost import item_tokens
from ose.core.job import Candidate, Job
from ose.extraction.initial import Start, initial_student
from ose.families.counts import counts_of
from ose.tasks.registry import load_task
from ose.training.precision import has_native_bfloat16

_TRAINING = 3
"""Of the forward pass: the backward one multiplies twice as much."""

AIM = 2 / 3
"""Of the ceiling."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", type=Path, required=True, help="a classifier of one label of many")
    parser.add_argument("--train", required=True)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--text", default="text", help="column")
    parser.add_argument("--label", default="label", help="column")
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--heads", type=int, nargs="+", default=[6])
    parser.add_argument("--hidden", type=int, nargs="+", default=[192, 384])
    parser.add_argument("--intermediate", type=int, nargs="+", default=[384, 1536])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sequence-length", type=int, default=64)
    parser.add_argument("--held-out-items", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("results/classifier-speed"), help="homes and results")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def job_content(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "name": "classifier-speed",
        "teacher": {"model": str(options.teacher.absolute()), "as_is": True},
        "corpus": {
            "train": [str(Path(options.train).absolute())],
            "validation": [str(Path(options.validation).absolute())],
            "columns": {"text": options.text, "label": options.label},
            "sequence_length": options.sequence_length,
        },
        "space": {
            "num_hidden_layers": options.depths,
            "num_attention_heads": options.heads,
            "hidden_size": options.hidden,
            "intermediate_size": options.intermediate,
        },
        "search": {
            "steps": options.steps,
            "hyperparameters": [{"batch_size": options.batch_size}],
            "held_out_sequences": options.held_out_items,
            "inheritance": asdict(PLAIN_START),
            "keep_checkpoints": 0,
        },
        "references": "off",
        "workers": {"count": options.workers, "cpus": 1},
    }


def run_plain(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """The plain search on what OSE's drew; the starts are made for it, which its time does not count."""
    file = options.work / "plain.json"
    if not file.exists():
        (options.work / "plan.json").write_text(json.dumps(plan_of(options, home)), encoding="utf8")
        script = Path(__file__).with_name("plain_classifier_search.py")
        command = [sys.executable, script, "--plan", options.work / "plan.json", "--output", file.absolute()]
        subprocess.run(command, check=True, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"})
    return dict(json.loads(file.read_text(encoding="utf8")))


def plan_of(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    job, candidates = finished(home)
    [batches] = home.glob("artifacts/search-data/*/train.safetensors")
    return {
        **asdict(candidates[0].hyperparameters),
        "teacher": job.teacher.path,
        "starts": [str(start_of(options, job, each.architecture)) for each in candidates],
        "items": str(batches.parent.absolute()),
        "steps": options.steps,
        "latency_length": job.spec.latency.num_tokens,
        "workers": options.workers,
        "threads": 1,
        "is_bfloat16": has_native_bfloat16(torch.device("cpu")),
        "seed": job.spec.search.seed,
        "folder": str((options.work / "trainer").absolute()),
    }


def start_of(options: argparse.Namespace, job: Job, shape: Architecture) -> Path:
    folder = (options.work / "starts" / str(shape)).absolute()
    if not folder.exists():
        search, task = job.spec.search, job.teacher.task
        start = Start(
            initialization="inherit", inheritance=search.inheritance, seed=search.seed, calibration=None, task=task
        )
        initial_student(load_task(task).load_teacher(job.teacher.path), shape, start).save_pretrained(folder)
    return folder


def ceiling(job: Job, candidates: list[Candidate], plain: dict[str, Any], workers: int) -> float:
    """The plain search's time over the same time without its teacher, by the operations of each trial."""
    counts, tokens = counts_of(job.teacher), item_tokens(job)
    teacher = counts.flops(job.teacher.architecture, tokens)
    students = {str(each.architecture): counts.flops(each.architecture, tokens) for each in candidates}
    saved_s = 0.0
    for trial in plain["trials"]:
        student = students[Path(trial["start"]).name]
        saved_s += trial["train_s"] * teacher / (teacher + _TRAINING * student)
        saved_s += trial["judge_s"] * teacher / (teacher + student)
    return float(plain["wall_time_s"] / (plain["wall_time_s"] - saved_s / workers))


def main() -> None:
    options = parse_arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    ours = [run_search(options.work, "ose-first", job_content(options))]
    job, candidates = finished(options.work / "ose-first")
    plain = run_plain(options, options.work / "ose-first")
    ours.append(run_search(options.work, "ose-last", job_content(options)))
    theirs = {
        **plain,
        "trials": [{**each, "sequence_losses_nats": each["item_losses_nats"]} for each in plain["trials"]],
    }
    report = {
        "ours": ours,
        "plain_wall_time_s": plain["wall_time_s"],
        "num_errors": plain["num_errors"],
        "ceiling": ceiling(job, candidates, plain, options.workers),
        "losses": compare_losses(candidates, theirs),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "classifier_speed.json").write_text(json.dumps(report, indent=1), encoding="utf8")
    (options.output / "classifier_speed.md").write_text(markdown(report), encoding="utf8")
    print(markdown(report))


def markdown(report: dict[str, Any]) -> str:
    walls = [run["wall_time_s"] for run in report["ours"]]
    gain = report["plain_wall_time_s"] * len(walls) / sum(walls)
    share = gain / report["ceiling"]
    lines = [
        f"{len(report['losses'])} candidates. OSE: {', '.join(f'{wall:.1f} s' for wall in walls)}. Plain search: "
        f"{report['plain_wall_time_s']:.1f} s, {gain:.2f} times as long. The ceiling is {report['ceiling']:.2f}: "
        f"{share:.0%} of it are reached, {AIM:.0%} were aimed at.",
        f"Stages of OSE's first run, s: {report['ours'][0]['stages_s']}.",
        "",
        "| candidate | OSE, nats | plain, nats | difference, in pairs |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['architecture']} | {row['loss_nats']:.4f} ± {row['loss_stderr_nats']:.4f} | {row['plain_loss_nats']:.4f} "
        f"| {row['difference_nats']:+.4f} ± {row['difference_stderr_nats']:.4f} |"
        for row in report["losses"]
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
