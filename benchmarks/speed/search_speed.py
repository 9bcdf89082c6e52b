"""A whole search beside the one that a user would write instead, in the same run on the same machine.

    python benchmarks/speed/search_speed.py --shape 6,12,768,3072 --tokenizer path/to/tokenizer \
        --corpus 'text/*.txt' --output results/speed

The teacher is a model directory (`--teacher`), or random weights of a shape with a tokenizer's vocabulary. OSE's search
runs first and last, each time in a new home; between them the plain one (`plain_search.py`). Both train the same
candidates from the same starts on the same batches, and both measure latencies. Writes search_speed.md and
search_speed.json: wall times and their ratio, the paired difference of the held-out losses, and how much of OSE's wall
time is arithmetic that the candidates' training needs, at the rate at which this machine multiplies matrices in the same
run. What is done already in `--work` is not done again. Needs `accelerate` for the plain search.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

import ose
from benchmarks.shared.shapes import parse_shape
from ose.core.architecture import Architecture
from ose.core.cost import candidate_flops
from ose.core.inheritance import InheritanceSpec
from ose.core.job import Candidate, Job
from ose.core.significance import paired_difference
from ose.core.spec import Hyperparameters
from ose.extraction.initial import Start, initial_student
from ose.families.counts import counts_of
from ose.tasks.fill_mask.teacher import load_masked_lm

PLAIN_START = InheritanceSpec(
    layers="distilbert", heads="leading", neurons="leading", hidden="leading", correction="none"
)
"""What anybody would do: every so many layers, and of each matrix the leading rows."""

_MATRIX = 2048


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    teacher = parser.add_mutually_exclusive_group(required=True)
    teacher.add_argument("--teacher", help="a model directory")
    teacher.add_argument("--shape", help="D,A,H,I of a RoBERTa with random weights")
    parser.add_argument("--tokenizer", type=Path, help="RoBERTa's vocab.json and merges.txt; with --shape")
    parser.add_argument("--corpus", nargs="+", required=True, help="files or globs of training text")
    parser.add_argument("--validation", nargs="*", default=[], help="files or globs of held-out text")
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--heads", type=int, nargs="+", default=[4])
    parser.add_argument("--hidden", type=int, nargs="+", default=[256, 384])
    parser.add_argument("--intermediate", type=int, nargs="+", default=[1024, 1536])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--held-out-sequences", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--skip-plain", action="store_true", help="OSE's search alone, for its share of the machine")
    parser.add_argument("--work", type=Path, default=Path("results/speed-data"), help="teachers, homes and results")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def teacher_directory(options: argparse.Namespace) -> Path:
    """The teacher given, or one of random weights made once."""
    if options.teacher:
        return Path(options.teacher).absolute()
    folder = (options.work / f"teacher-{options.shape.replace(',', '-')}").absolute()
    if not folder.exists():
        from transformers import RobertaConfig, RobertaForMaskedLM, RobertaTokenizer

        tokenizer = RobertaTokenizer.from_pretrained(options.tokenizer)
        torch.manual_seed(0)
        config = RobertaConfig(
            vocab_size=len(tokenizer),
            max_position_embeddings=514,
            type_vocab_size=1,
            **asdict(parse_shape(options.shape)),
        )
        RobertaForMaskedLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def job_content(options: argparse.Namespace, teacher: Path) -> dict[str, Any]:
    return {
        "name": "search-speed",
        "teacher": {"model": str(teacher)},
        "corpus": {
            "train": options.corpus,
            "validation": options.validation,
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
            "held_out_sequences": options.held_out_sequences,
            "inheritance": asdict(PLAIN_START),
        },
        "latency": {"sequence_length": options.sequence_length},
        "workers": {"count": options.workers, "cpus": 1},
    }


def run_search(work: Path, name: str, content: dict[str, Any]) -> dict[str, Any]:
    """`ose job run` from its first import to its last line, and what it said about its stages."""
    home, file = work / name, work / f"{name}.json"
    if not file.exists():
        job_file = work / "job.yaml"
        job_file.write_text(yaml.safe_dump(content), encoding="utf8")
        command = [sys.executable, "-m", "ose", "--home", str(home), "job", "run", str(job_file)]
        started = time.perf_counter()
        told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        wall_time_s = time.perf_counter() - started
        stages = {title: float(seconds) for title, seconds in re.findall(r"^(.+?): \d+/\d+, (\d+) s", told, re.M)}
        file.write_text(json.dumps({"wall_time_s": wall_time_s, "stages_s": stages}), encoding="utf8")
    return dict(json.loads(file.read_text(encoding="utf8")))


def finished(home: Path) -> tuple[Job, list[Candidate]]:
    with ose.Workspace(home) as workspace:
        [job] = workspace.jobs()
        return job, workspace.store.candidates(job.id)


def batches_in(home: Path) -> Path:
    [batches] = home.glob("artifacts/search-data/*/batches.safetensors")
    return batches.absolute()


def run_plain(options: argparse.Namespace, teacher: Path, home: Path) -> dict[str, Any]:
    """The plain search on what OSE's drew; the starts are made for it, which its time does not count."""
    file = options.work / "plain.json"
    if not file.exists():
        job, candidates = finished(home)
        plan = {
            **asdict(Hyperparameters(batch_size=options.batch_size)),
            "teacher": str(teacher),
            "starts": [str(start_of(options, teacher, each.architecture, job)) for each in candidates],
            "batches": str(batches_in(home)),
            "steps": options.steps,
            "latency_length": options.sequence_length,
            "workers": options.workers,
            "threads": 1,
            "gpus": 0,
            "device": "cpu",
            "seed": job.spec.search.seed,
            "folder": str((options.work / "trainer").absolute()),
        }
        (options.work / "plan.json").write_text(json.dumps(plan), encoding="utf8")
        script = Path(__file__).with_name("plain_search.py")
        command = [sys.executable, script, "--plan", options.work / "plan.json", "--output", file.absolute()]
        subprocess.run(command, check=True, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"})
    return dict(json.loads(file.read_text(encoding="utf8")))


def start_of(options: argparse.Namespace, teacher: Path, shape: Architecture, job: Job) -> Path:
    folder = (options.work / "starts" / str(shape)).absolute()
    if not folder.exists():
        search = job.spec.search
        start = Start(
            initialization="inherit",
            inheritance=search.inheritance,
            seed=search.seed,
            calibration=None,
            task="fill_mask",
        )
        initial_student(load_masked_lm(teacher), shape, start).save_pretrained(folder)
    return folder


def matrix_rates(workers: int) -> dict[str, float]:
    """FLOP/s of all workers together, one thread each, for large square matrices."""
    return {
        str(dtype).removeprefix("torch."): workers * matrix_rate(dtype) for dtype in (torch.float32, torch.bfloat16)
    }


def matrix_rate(dtype: torch.dtype) -> float:
    """FLOP/s of one thread for large square matrices, the best of ten."""
    torch.set_num_threads(1)
    matrix = torch.randn(_MATRIX, _MATRIX).to(dtype)
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - started)
    return 2 * _MATRIX**3 / best


def compare_losses(candidates: list[Candidate], plain: dict[str, Any]) -> list[dict[str, Any]]:
    theirs = {Path(trial["start"]).name: trial for trial in plain["trials"]}
    rows = []
    for each in candidates:
        assert each.evaluation is not None
        other = theirs[str(each.architecture)]["sequence_losses_nats"]
        gap = paired_difference(each.evaluation.sequence_losses_nats, other)
        rows.append(
            {
                "architecture": str(each.architecture),
                "loss_nats": each.evaluation.loss_nats,
                "loss_stderr_nats": each.evaluation.loss_stderr_nats,
                "plain_loss_nats": sum(other) / len(other),
                "difference_nats": gap.mean_nats,
                "difference_stderr_nats": gap.stderr_nats,
            }
        )
    return rows


def main() -> None:
    options = parse_arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    teacher = teacher_directory(options)
    rates = [matrix_rates(options.workers)]
    ours = [run_search(options.work, "ose-first", job_content(options, teacher))]
    job, candidates = finished(options.work / "ose-first")
    report: dict[str, Any] = {
        "flops": sum(candidate_flops(job, counts_of(job.teacher), each) for each in candidates),
        "num_candidates": len(candidates),
    }
    if not options.skip_plain:
        plain = run_plain(options, teacher, options.work / "ose-first")
        ours.append(run_search(options.work, "ose-last", job_content(options, teacher)))
        report |= {"plain_wall_time_s": plain["wall_time_s"], "losses": compare_losses(candidates, plain)}
    rates.append(matrix_rates(options.workers))
    report |= {"ours": ours, "matrix_flops_per_s": rates}
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "search_speed.json").write_text(json.dumps(report, indent=1), encoding="utf8")
    (options.output / "search_speed.md").write_text(markdown(report), encoding="utf8")
    print(markdown(report))


def markdown(report: dict[str, Any]) -> str:
    walls = [run["wall_time_s"] for run in report["ours"]]
    mean = sum(walls) / len(walls)
    lines = [
        f"{report['num_candidates']} candidates. OSE: {', '.join(f'{wall:.1f} s' for wall in walls)}.",
        f"Stages of the first run, s: {report['ours'][0]['stages_s']}.",
    ]
    for name in report["matrix_flops_per_s"][0]:
        rate = sum(each[name] for each in report["matrix_flops_per_s"]) / len(report["matrix_flops_per_s"])
        lines.append(
            f"Training needs {report['flops'] / 1e12:.1f} TFLOP, {report['flops'] / rate:.1f} s at the {name} rate of "
            f"{rate / 1e9:.0f} GFLOP/s: {report['flops'] / rate / mean:.0%} of the wall time."
        )
    if "plain_wall_time_s" in report:
        lines.append(
            f"Plain search: {report['plain_wall_time_s']:.1f} s, {report['plain_wall_time_s'] / mean:.1f} times as long."
        )
        lines += [
            "",
            "| candidate | OSE, nats | plain, nats | difference, in pairs |",
            "| --- | --- | --- | --- |",
        ]
        for row in report["losses"]:
            lines.append(
                f"| {row['architecture']} | {row['loss_nats']:.3f} ± {row['loss_stderr_nats']:.3f} "
                f"| {row['plain_loss_nats']:.3f} | {row['difference_nats']:+.3f} ± {row['difference_stderr_nats']:.3f} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
