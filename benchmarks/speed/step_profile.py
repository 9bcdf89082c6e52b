"""Where the time of one training step of a candidate goes.

    python benchmarks/speed/step_profile.py --shapes 2,4,256,1024 6,4,384,1536 --output results/step

As many processes as there are workers train a student of random weights side by side, one thread each, with OSE's own
encoder, vocabulary head, loss and optimiser, and time each part. Beside every part stands what its matrix products would
take at the rate at which the same process multiplies large matrices at the same precision. Times are of the processor, so
other work on the machine disturbs them less. Writes step_profile.csv and step_profile.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import RobertaConfig
from transformers.utils import logging as transformers_logging

from benchmarks.shared.shapes import parse_shape
from benchmarks.shared.tables import write_csv
from benchmarks.speed.search_speed import matrix_rate
from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.masked_positions import num_targets
from ose.distillation.candidate_training import MAX_GRAD_NORM
from ose.families.bert.model import build_student
from ose.families.counts import FamilyCounts
from ose.tasks.fill_mask.forward import at_positions, encode
from ose.tasks.fill_mask.loss import sampled_cross_entropy
from ose.tasks.fill_mask.search_data import NUM_DRAWS
from ose.training.optimizer import build_optimizer
from ose.training.precision import autocast, has_native_bfloat16
from ose.training.quick_attention import quick_attention
from ose.workers.ray.environment import KEEP_MEMORY

WARM_UP_STEPS = 3
_CPU = torch.device("cpu")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="+", required=True, metavar="D,A,H,I")
    parser.add_argument("--vocabulary", type=int, default=50_265, help="tokens; RoBERTa's by default")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10, help="timed, after a few that are not")
    parser.add_argument("--workers", type=int, default=2, help="processes at the same time")
    parser.add_argument("--output", type=Path, default=None)
    parser.add_argument("--inside", metavar="D,A,H,I", help=argparse.SUPPRESS)
    return parser.parse_args()


class Step:
    """One training step in parts, each timed by itself."""

    def __init__(self, shape: Architecture, options: argparse.Namespace) -> None:
        torch.manual_seed(0)
        batch, length, vocabulary = options.batch_size, options.sequence_length, options.vocabulary
        positions = num_targets(length)
        config = RobertaConfig(vocab_size=vocabulary, max_position_embeddings=length + 2)
        self.student = build_student(config, shape, "fill_mask", 0, _CPU).eval()
        self.optimizer = build_optimizer(self.student, 1e-4)
        self.input_ids = torch.randint(vocabulary, (batch, length))
        self.positions = torch.stack([torch.randperm(length)[:positions] for _ in range(batch)])
        self.draws = torch.randint(vocabulary, (batch, positions, NUM_DRAWS))
        self.times_s: dict[str, float] = {}

    def timed(self, part: str, work: Callable[[], Any]) -> Any:
        """What `work` returns; how long it took is kept under the part's name."""
        started = time.process_time()
        result = work()
        self.times_s[part] = time.process_time() - started
        return result

    def run(self) -> dict[str, float]:
        """Seconds by part; the graph is cut between the parts, so that each has its own way back."""
        with autocast(_CPU, "auto"):
            encoded = self.timed("encoder, forward", lambda: encode(self.student, self.input_ids))
            states = encoded.states.detach().requires_grad_()
            picked = at_positions(states, self.positions)
            logits = self.timed("vocabulary head, forward", lambda: encoded.head(picked))
        cut = logits.detach().requires_grad_()
        self.timed("loss and its gradient", lambda: sampled_cross_entropy(cut, self.draws).backward())
        self.timed("vocabulary head, backward", lambda: logits.backward(cut.grad))
        self.timed("encoder, backward", lambda: encoded.states.backward(states.grad))
        self.timed("gradient norm", self._clip)
        self.timed("optimiser", self.optimizer.step)
        self.optimizer.zero_grad(set_to_none=True)
        return dict(self.times_s)

    def _clip(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), MAX_GRAD_NORM)


def profile(shape: Architecture, options: argparse.Namespace) -> dict[str, Any]:
    """Medians over steps, by part, with the page faults of a step and the rate of this process."""
    torch.set_num_threads(1)
    step = Step(shape, options)
    with quick_attention(step.student):
        for _ in range(WARM_UP_STEPS):
            step.run()
        faults = _page_faults()
        runs = [step.run() for _ in range(options.steps)]
        faults = _page_faults() - faults
    return {
        "parts_s": {part: statistics.median(run[part] for run in runs) for part in runs[0]},
        "page_faults": faults / options.steps,
        "rate": matrix_rate(torch.bfloat16 if has_native_bfloat16(_CPU) else torch.float32),
    }


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def products_flops(shape: Architecture, options: argparse.Namespace) -> dict[str, int]:
    """Of the parts that multiply matrices; a way back is twice the way there."""
    batch, length = options.batch_size, options.sequence_length
    positions = batch * num_targets(length)
    counts = FamilyCounts(EmbeddingShape(vocab_size=options.vocabulary, max_position_embeddings=length + 2))
    encoder, head = counts.flops(shape, length, batch), counts.head_flops(shape, positions)
    return {
        "encoder, forward": encoder,
        "vocabulary head, forward": head,
        "vocabulary head, backward": 2 * head,
        "encoder, backward": 2 * encoder,
    }


def side_by_side(shape: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The profiles of as many processes as there are workers, at the same time, with the workers' environment."""
    command = [
        sys.executable, __file__, "--shapes", shape, "--inside", shape, "--vocabulary", str(options.vocabulary),
        "--batch-size", str(options.batch_size), "--sequence-length", str(options.sequence_length),
        "--steps", str(options.steps),
    ]  # fmt: skip
    environment = {**os.environ, **KEEP_MEMORY, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(options.workers)
    ]
    printed = [each.communicate()[0] for each in running]
    if any(each.returncode for each in running):
        raise SystemExit("a profile failed")
    return [json.loads(each) for each in printed]


def rows_of(shape: Architecture, found: list[dict[str, Any]], options: argparse.Namespace) -> list[dict[str, Any]]:
    """A line for each part and one for the whole step: means over the processes."""
    rate, flops = statistics.fmean(each["rate"] for each in found), products_flops(shape, options)
    times_s = {part: statistics.fmean(each["parts_s"][part] for each in found) for part in found[0]["parts_s"]}
    parts = [*times_s.items(), ("step", sum(times_s.values()))]
    flops["step"] = sum(flops.values())
    return [
        {
            "shape": str(shape),
            "part": part,
            "time_ms": round(1e3 * time_s, 1),
            "share_of_step": round(time_s / parts[-1][1], 3),
            "products_ms": round(1e3 * flops.get(part, 0) / rate, 1),
            "rate_gflops": round(rate / 1e9),
            "page_faults": round(statistics.fmean(each["page_faults"] for each in found)) if part == "step" else "",
        }
        for part, time_s in parts
    ]


def markdown(rows: list[dict[str, Any]]) -> str:
    head = ["| shape | part | ms | share of the step | its products at the machine's rate, ms |", "| --- " * 5 + "|"]
    lines = [
        f"| {row['shape']} | {row['part']} | {row['time_ms']} | {row['share_of_step']:.0%} | {row['products_ms'] or ''} |"
        for row in rows
    ]
    wholes = [row for row in rows if row["part"] == "step"]
    shares = [
        f"{row['shape']}: {row['products_ms'] / row['time_ms']:.0%} of {row['rate_gflops']} GFLOP/s a process, "
        f"{row['page_faults']} page faults a step."
        for row in wholes
    ]
    return "\n".join([*head, *lines, "", *shares, ""])


def main() -> None:
    options = parse_arguments()
    transformers_logging.set_verbosity_error()
    if options.inside:
        print(json.dumps(profile(parse_shape(options.inside), options)))
        return
    if options.output is None:
        raise SystemExit("--output is missing")
    shapes = {text: parse_shape(text) for text in options.shapes}
    rows = [row for text, shape in shapes.items() for row in rows_of(shape, side_by_side(text, options), options)]
    write_csv(options.output / "step_profile.csv", rows)
    (options.output / "step_profile.md").write_text(markdown(rows), encoding="utf8")
    print(markdown(rows))


if __name__ == "__main__":
    main()
