"""The search that one would write without OSE, for `search_speed.py` to be compared with.

A Ray Tune function for each candidate loads the teacher, runs it on every batch, and distils over all positions in
float32 with transformers' Trainer; then it judges the student, and times it. It reads the batches that OSE drew, so that
both sides see the same text with the same holes, and begins where OSE's students begin. Everything else is as the
libraries' tutorials have it. Needs `accelerate`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.nn import functional as F


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", type=Path, required=True, help="JSON: teacher, starts, batches, steps and the like")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def train_candidate(plan: dict[str, Any]) -> dict[str, Any]:
    """One trial: from two model directories to a loss and a latency."""
    from safetensors.torch import load_file
    from transformers import AutoModelForMaskedLM, Trainer, TrainingArguments

    class Distillation(Trainer):
        def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], **_: Any) -> torch.Tensor:
            logits = model(**inputs).logits
            with torch.no_grad():
                targets = teacher(**inputs).logits
            return F.kl_div(
                logits.flatten(0, 1).log_softmax(-1),
                targets.flatten(0, 1).log_softmax(-1),
                reduction="batchmean",
                log_target=True,
            )

    torch.set_num_threads(plan["threads"])
    teacher = AutoModelForMaskedLM.from_pretrained(plan["teacher"]).eval()
    student = AutoModelForMaskedLM.from_pretrained(plan["start"])
    batches = load_file(plan["batches"])
    arguments = TrainingArguments(
        output_dir=plan["folder"],
        max_steps=plan["steps"],
        per_device_train_batch_size=plan["batch_size"],
        learning_rate=plan["learning_rate"],
        warmup_steps=max(1, round(plan["warmup_fraction"] * plan["steps"])),
        weight_decay=plan["weight_decay"],
        train_sampling_strategy="sequential",
        use_cpu=plan["device"] == "cpu",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=plan["seed"],
    )
    dataset = [{"input_ids": row} for row in batches["train.input_ids"].long()]
    Distillation(model=student, args=arguments, train_dataset=dataset).train()
    losses = held_out_losses(student.eval(), teacher, batches)
    return {"sequence_losses_nats": losses, "latency_p50_ms": latency_p50_ms(student, plan["latency_length"])}


@torch.no_grad()
def held_out_losses(student: Any, teacher: Any, batches: dict[str, torch.Tensor]) -> list[float]:
    """Cross-entropy to the teacher at the held-out holes, a mean for each sequence."""
    losses: list[float] = []
    positions = batches["validation.positions"].long()
    for rows in torch.arange(len(positions)).split(16):
        input_ids = batches["validation.input_ids"][rows].long()
        picked = [
            model(input_ids=input_ids).logits.gather(
                1, positions[rows][..., None].expand(-1, -1, model.config.vocab_size)
            )
            for model in (student, teacher)
        ]
        values = -(picked[1].softmax(-1) * picked[0].log_softmax(-1)).sum(-1)
        losses += values.mean(dim=1).tolist()
    return losses


@torch.no_grad()
def latency_p50_ms(student: Any, length: int) -> float:
    """Median of 30 calls of the encoder on one sequence, after 5 for warmth."""
    torch.set_num_threads(1)
    input_ids = torch.randint(5, student.config.vocab_size, (1, length))
    times = []
    for _ in range(35):
        started = time.perf_counter()
        student.base_model(input_ids=input_ids)
        times.append(1000 * (time.perf_counter() - started))
    return median(times[5:])


def main() -> None:
    options = parse_arguments()
    plan = json.loads(options.plan.read_text(encoding="utf8"))
    started = time.perf_counter()
    from ray import tune

    trainable = tune.with_resources(train_candidate, {"cpu": plan["threads"], "gpu": plan["gpus"]})
    tuner = tune.Tuner(
        trainable,
        param_space={**plan, "start": tune.grid_search(plan["starts"])},
        tune_config=tune.TuneConfig(max_concurrent_trials=plan["workers"]),
        run_config=tune.RunConfig(storage_path=str(options.output.parent / "ray"), verbose=0),
    )
    results = tuner.fit()
    trials = [
        {
            "start": result.config["start"],
            "latency_p50_ms": result.metrics["latency_p50_ms"],
            "sequence_losses_nats": result.metrics["sequence_losses_nats"],
            "wall_time_s": result.metrics["time_total_s"],
        }
        for result in results
    ]
    report = {"wall_time_s": time.perf_counter() - started, "num_errors": results.num_errors, "trials": trials}
    options.output.write_text(json.dumps(report, indent=1), encoding="utf8")


if __name__ == "__main__":
    main()
