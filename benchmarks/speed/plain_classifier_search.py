"""The search for a classifier that one would write without OSE, for `classifier_speed.py` to be compared with.

A Ray Tune function for each candidate loads the teacher, runs it on every batch, and distils its distribution over labels
with transformers' Trainer; then it judges the student, and times it. It reads the items that OSE drew, in their order, and
begins where OSE's students begin, in the same precision. Everything else is as the libraries' tutorials have it. Needs
`accelerate`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.nn import functional as F

_JUDGED_AT_ONCE = 64


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", type=Path, required=True, help="JSON: teacher, starts, items, steps and the like")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def train_candidate(plan: dict[str, Any]) -> dict[str, Any]:
    """One trial: from two model directories to a loss and a latency."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, Trainer
    from transformers import TrainingArguments as Arguments

    class Distillation(Trainer):
        def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], **_: Any) -> torch.Tensor:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=plan["is_bfloat16"]):
                targets = teacher(**inputs).logits.float()  # Trainer sees to the precision of its own model alone
            return F.kl_div(
                model(**inputs).logits.log_softmax(-1), targets.log_softmax(-1), reduction="batchmean", log_target=True
            )

    torch.set_num_threads(plan["threads"])
    teacher = AutoModelForSequenceClassification.from_pretrained(plan["teacher"], dtype=torch.float32).eval()
    student = AutoModelForSequenceClassification.from_pretrained(plan["start"], dtype=torch.float32)
    arguments = Arguments(
        output_dir=plan["folder"],
        max_steps=plan["steps"],
        per_device_train_batch_size=plan["batch_size"],
        learning_rate=plan["learning_rate"],
        warmup_steps=max(1, round(plan["warmup_fraction"] * plan["steps"])),
        weight_decay=plan["weight_decay"],
        train_sampling_strategy="sequential",
        use_cpu=True,
        bf16=plan["is_bfloat16"],
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=plan["seed"],
    )
    started = time.perf_counter()
    collator = DataCollatorWithPadding(AutoTokenizer.from_pretrained(plan["teacher"]))
    dataset = [{"input_ids": ids} for ids in items(plan["items"], "train")]
    Distillation(model=student, args=arguments, train_dataset=dataset, data_collator=collator).train()
    trained = time.perf_counter()
    losses = held_out_losses(student.eval(), teacher, plan)
    judged = time.perf_counter()
    return {
        "item_losses_nats": losses,
        "latency_p50_ms": latency_p50_ms(student, plan["latency_length"]),
        "train_s": trained - started,
        "judge_s": judged - trained,
    }


def items(folder: str, side: str) -> list[list[int]]:
    """The token ids of the items of a side."""
    from safetensors.torch import load_file

    stored = load_file(Path(folder) / f"{side}.safetensors")
    rows = zip(stored["input_ids"].tolist(), stored["lengths"].tolist(), strict=True)
    return [ids[:length] for ids, length in rows]


@torch.no_grad()
def held_out_losses(student: Any, teacher: Any, plan: dict[str, Any]) -> list[float]:
    """Cross-entropy to the teacher, an item each."""
    losses: list[float] = []
    for batch in _batches(plan):
        with torch.autocast("cpu", torch.bfloat16, enabled=plan["is_bfloat16"]):
            told, expected = (model(**batch).logits.float() for model in (student, teacher))
        losses += (-(expected.softmax(-1) * told.log_softmax(-1)).sum(-1)).tolist()
    return losses


def _batches(plan: dict[str, Any]) -> Iterator[Any]:
    from transformers import AutoTokenizer

    tokenizer, rows = AutoTokenizer.from_pretrained(plan["teacher"]), items(plan["items"], "validation")
    for first in range(0, len(rows), _JUDGED_AT_ONCE):
        padded = tokenizer.pad({"input_ids": rows[first : first + _JUDGED_AT_ONCE]}, return_tensors="pt")
        yield {name: padded[name] for name in ("input_ids", "attention_mask")}


@torch.no_grad()
def latency_p50_ms(student: Any, length: int) -> float:
    """Median of 30 calls of the model on one text, after 5 for warmth."""
    torch.set_num_threads(1)
    input_ids = torch.randint(5, student.config.vocab_size, (1, length))
    times = []
    for _ in range(35):
        started = time.perf_counter()
        student(input_ids=input_ids)
        times.append(1000 * (time.perf_counter() - started))
    return median(times[5:])


def main() -> None:
    options = parse_arguments()
    plan = json.loads(options.plan.read_text(encoding="utf8"))
    started = time.perf_counter()
    from ray import tune

    trainable = tune.with_resources(train_candidate, {"cpu": plan["threads"]})
    tuner = tune.Tuner(
        trainable,
        param_space={**plan, "start": tune.grid_search(plan["starts"])},
        tune_config=tune.TuneConfig(max_concurrent_trials=plan["workers"]),
        run_config=tune.RunConfig(storage_path=str(options.output.parent / "ray"), verbose=0),
    )
    results = tuner.fit()
    kept = ("latency_p50_ms", "item_losses_nats", "train_s", "judge_s")
    trials = [
        {"start": result.config["start"], **{name: result.metrics[name] for name in kept}}
        for result in results
        if result.metrics and not result.error
    ]
    report = {"wall_time_s": time.perf_counter() - started, "num_errors": results.num_errors, "trials": trials}
    options.output.write_text(json.dumps(report, indent=1), encoding="utf8")


if __name__ == "__main__":
    main()
