"""What it costs a student to learn from a few bytes of the teacher's answer instead of all of it.

    python benchmarks/targets/targets.py --home results --job ID --shape 6,6,192,384 --steps 60 --output results/targets

Takes a finished job's teacher, batches and starts, and trains one student again and again on the same batches in the same
order, from the teacher's whole distribution (the truth) and from what could be stored of it. All are judged on the
job's held-out targets; the figures are differences from the truth in pairs, held-out sequence by sequence, and for
what is drawn the spread over draws. Writes targets.csv and targets.md.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

import ose
from benchmarks.shared.shapes import parse_shape
from benchmarks.shared.tables import write_csv
from ose.coordinator.cache_keys import calibration_key, search_data_key
from ose.core.architecture import Architecture
from ose.core.job import Job
from ose.core.recipe import Precision
from ose.core.significance import paired_difference
from ose.distillation.candidate_training import MAX_GRAD_NORM
from ose.extraction.calibrate import open_calibration
from ose.extraction.initial import Start, initial_student
from ose.tasks.fill_mask.draws import systematic_draws
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.loss import sampled_cross_entropy
from ose.tasks.fill_mask.search_data import NUM_DRAWS, FillMaskData, load_search_data
from ose.tasks.fill_mask.teacher import load_masked_lm
from ose.tasks.judging import held_out_quality
from ose.tasks.registry import load_task
from ose.training.losses import cross_entropy_to
from ose.training.optimizer import build_optimizer, learning_rate_factor, set_learning_rate
from ose.training.precision import autocast
from ose.training.quick_attention import quick_attention

TOP = 24
"""Of each kept token an id and a probability in two bytes each: as many bytes as 48 draws."""

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From a student's logits and the teacher's log-probabilities, (..., V) both, to a scalar."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to keep the teacher's answer.

    Attributes:
        precision: Of the teacher's arithmetic.
        seed: Of the draws.
    """

    name: str
    bytes_per_target: int
    loss: Loss
    precision: Precision = "float32"
    seed: int = 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path("results"))
    parser.add_argument("--job", required=True, help="a job whose batches and targets are on disk")
    parser.add_argument("--shape", required=True, help="D,A,H,I of the student")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3, help="of what is drawn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def whole(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    return cross_entropy_to(teacher, logits.log_softmax(-1)).mean()


def drawn(count: int) -> Loss:
    def loss(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        draws = torch.multinomial(teacher.exp().flatten(0, -2), count, replacement=True)
        return sampled_cross_entropy(logits, draws.view(*teacher.shape[:-1], count))

    return loss


def drawn_systematically(count: int) -> Loss:
    def loss(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return sampled_cross_entropy(logits, systematic_draws(teacher, count, torch.default_generator))

    return loss


def top_renormalized(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    kept, tokens = teacher.topk(TOP)
    return -(kept.softmax(-1) * logits.log_softmax(-1).gather(-1, tokens)).sum(-1).mean()


def top_and_rest(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    kept, tokens = teacher.topk(TOP)
    ours = logits.log_softmax(-1).gather(-1, tokens)
    rest, our_rest = (torch.log1p(-each.exp().sum(-1).clamp(max=1 - 1e-6)) for each in (kept, ours))
    return -((kept.exp() * ours).sum(-1) + rest.exp() * our_rest).mean()


def variants(vocab_size: int, seeds: int) -> Iterator[Variant]:
    yield Variant("the whole distribution", 2 * vocab_size, whole)
    for seed in range(seeds):
        loss = drawn_systematically(NUM_DRAWS)
        yield Variant(f"{NUM_DRAWS} systematic draws", 2 * NUM_DRAWS, loss, seed=seed)
        yield Variant(f"{NUM_DRAWS} systematic draws, teacher in bfloat16", 2 * NUM_DRAWS, loss, "bfloat16", seed)
        yield Variant(f"{NUM_DRAWS} independent draws", 2 * NUM_DRAWS, drawn(NUM_DRAWS), seed=seed)
        yield Variant("12 systematic draws", 24, drawn_systematically(12), seed=seed)
    yield Variant(f"top {TOP} and the rest as one bucket", 4 * TOP, top_and_rest)
    yield Variant(f"top {TOP}, renormalised", 4 * TOP, top_renormalized)


@dataclass(frozen=True, slots=True)
class Bench:
    """A job's teacher, data and first weights."""

    job: Job
    teacher: PreTrainedModel
    data: FillMaskData
    start: Start

    @staticmethod
    def of(home: Path, job_id: str) -> Bench:
        """What a job left on disk."""
        with ose.Workspace(home) as workspace:
            job = workspace.job(job_id)
        search = job.spec.search
        calibration = open_calibration(home / "artifacts" / "calibration" / calibration_key(job))
        return Bench(
            job,
            load_masked_lm(job.teacher.path),
            load_search_data(home / "artifacts" / "search-data" / search_data_key(job)),
            Start(
                initialization="inherit",
                inheritance=search.inheritance,
                seed=search.seed,
                calibration=calibration,
                task="fill_mask",
            ),
        )

    def train(self, shape: Architecture, steps: int, variant: Variant) -> PreTrainedModel:
        """The student after so many steps, as candidates are trained but for their targets."""
        student = initial_student(self.teacher, shape, self.start)
        theta = self.job.spec.search.hyperparameters[0]
        optimizer = build_optimizer(student, theta.peak_learning_rate, weight_decay=theta.weight_decay)
        torch.manual_seed(variant.seed)
        with quick_attention(student):
            for step in range(steps):
                factor = learning_rate_factor(step, steps, theta.warmup_fraction)
                set_learning_rate(optimizer, theta.peak_learning_rate * factor)
                rows = torch.arange(step * theta.batch_size, (step + 1) * theta.batch_size)
                self._loss(student, rows % len(self.data.train.input_ids), variant).backward()
                torch.nn.utils.clip_grad_norm_(student.parameters(), MAX_GRAD_NORM)
                optimizer.step()
                optimizer.zero_grad()
        return student

    def _loss(self, student: PreTrainedModel, rows: torch.Tensor, variant: Variant) -> torch.Tensor:
        input_ids, positions = self.data.train.input_ids[rows], self.data.train.positions[rows]
        with torch.no_grad(), autocast(student.device, variant.precision):
            told = logits_at(self.teacher, input_ids, positions).float().log_softmax(-1)
        with autocast(student.device, self.job.spec.search.precision):
            logits = logits_at(student, input_ids, positions)
        return variant.loss(logits.float(), told)


def measure(bench: Bench, options: argparse.Namespace) -> list[dict[str, object]]:
    shape = parse_shape(options.shape)
    rows: list[dict[str, object]] = []
    truth: tuple[float, ...] = ()
    for variant in variants(bench.teacher.config.vocab_size, options.seeds):
        losses = held_out_quality(
            load_task("fill_mask"), bench.train(shape, options.steps, variant), bench.data
        ).sequence_losses_nats
        truth = truth or losses
        gap = paired_difference(losses, truth)
        rows.append(
            {
                "targets": variant.name,
                "bytes_per_target": variant.bytes_per_target,
                "seed": variant.seed,
                "loss_nats": statistics.fmean(losses),
                "difference_nats": gap.mean_nats,
                "difference_stderr_nats": gap.stderr_nats,
            }
        )
        print(rows[-1], flush=True)
    return rows


def markdown(rows: list[dict[str, object]]) -> str:
    """One row for each way to keep targets; of several seeds the mean, and their standard deviation."""
    lines = ["| targets | bytes each | difference, nats | over seeds, ± |", "| --- | --- | --- | --- |"]
    for name in dict.fromkeys(row["targets"] for row in rows):
        of_name = [row for row in rows if row["targets"] == name]
        gaps = [float(str(row["difference_nats"])) for row in of_name]
        stderr = statistics.fmean(float(str(row["difference_stderr_nats"])) for row in of_name)
        spread = f"{statistics.stdev(gaps):.4f}" if len(gaps) > 1 else ""
        lines.append(
            f"| {name} | {of_name[0]['bytes_per_target']:,} | {statistics.fmean(gaps):+.4f} ± {stderr:.4f} | {spread} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    rows = measure(Bench.of(options.home.absolute(), options.job), options)
    options.output.mkdir(parents=True, exist_ok=True)
    write_csv(options.output / "targets.csv", rows)
    (options.output / "targets.md").write_text(markdown(rows), encoding="utf8")
    print(markdown(rows))


if __name__ == "__main__":
    main()
