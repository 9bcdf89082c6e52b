"""Models side by side on a classification task, each fine-tuned the same plain way with several seeds.

    python benchmarks/students/downstream.py --train sst2/train.tsv.xz --dev sst2/dev.tsv.xz --output results/downstream \
        --models teacher=path/to/teacher searched=path/to/export

A model is LABEL=DIRECTORY. Text is tab-separated under a header: sentence, then label. A linear head on the first token,
AdamW, a linear decay after a tenth of the steps, the last step's model counts; nothing is tuned. A run
that is there already is not done again. Writes runs.csv and downstream.md: mean and standard deviation over seeds, and the difference
from the first model sentence by sentence (all seeds together), with its standard error.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from benchmarks.shared.tables import write_csv
from ose.core.significance import paired_difference
from ose.training.optimizer import build_optimizer, learning_rate_factor, set_learning_rate
from ose.training.precision import autocast

_WARMUP_FRACTION = 0.1
_POOL = 64
"""Batches are cut from so many batches' sentences in the order of their lengths, so that little is padded."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """Tokenised sentences with their labels."""

    input_ids: list[list[int]]
    labels: list[int]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", required=True, metavar="LABEL=DIRECTORY")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=20_000, help="training sentences, drawn by the seed")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", default="0/1", help="INDEX/COUNT: the share of the runs to do here; then run all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def read_sentences(file: Path, tokenizer: Any, max_length: int) -> Sentences:
    with lzma.open(file, "rt", encoding="utf8") if file.suffix == ".xz" else file.open(encoding="utf8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = [row["sentence"].strip() for row in rows]
    ids = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    return Sentences(ids, [int(row["label"]) for row in rows])


def batches(sentences: Sentences, size: int, count: int, generator: torch.Generator) -> list[list[int]]:
    """`count` sentences in an order of the generator's, cut into batches of like lengths."""
    order = torch.randperm(len(sentences.labels), generator=generator)[:count].tolist()
    pools = [order[first : first + _POOL * size] for first in range(0, len(order), _POOL * size)]
    cut = [
        rows[first : first + size]
        for pool in pools
        for rows in [sorted(pool, key=lambda row: len(sentences.input_ids[row]))]
        for first in range(0, len(rows), size)
    ]
    return [cut[index] for index in torch.randperm(len(cut), generator=generator).tolist()]


def as_tensors(sentences: Sentences, rows: list[int], pad: int) -> dict[str, torch.Tensor]:
    longest = max(len(sentences.input_ids[row]) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        length = len(sentences.input_ids[row])
        ids[place, :length] = torch.tensor(sentences.input_ids[row])
        mask[place, :length] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([sentences.labels[row] for row in rows])}


def fine_tuned(folder: str, train: Sentences, pad: int, seed: int, options: argparse.Namespace) -> torch.nn.Module:
    torch.manual_seed(seed)  # the head's first weights, and dropout
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    steps = [
        rows
        for _ in range(options.epochs)
        for rows in batches(train, options.batch_size, options.examples, generator)
    ]  # fmt: skip
    optimizer = build_optimizer(model, options.learning_rate)
    model.train()
    for step, rows in enumerate(steps):
        set_learning_rate(optimizer, options.learning_rate * learning_rate_factor(step, len(steps), _WARMUP_FRACTION))
        with autocast(torch.device("cpu"), "auto"):
            loss = model(**as_tensors(train, rows, pad)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return model.eval()


def hits(model: torch.nn.Module, dev: Sentences, pad: int) -> list[int]:
    """Of each sentence whether its label was found."""
    found: list[int] = []
    with torch.inference_mode():
        for first in range(0, len(dev.labels), 64):
            batch = as_tensors(dev, list(range(first, min(first + 64, len(dev.labels)))), pad)
            labels = batch.pop("labels")
            found += (model(**batch).logits.argmax(-1) == labels).int().tolist()
    return found


def run(label: str, folder: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    train, dev = (read_sentences(file, tokenizer, options.max_length) for file in (options.train, options.dev))
    found = hits(fine_tuned(folder, train, tokenizer.pad_token_id, seed, options), dev, tokenizer.pad_token_id)
    settings = [options.examples, options.epochs, options.batch_size, options.learning_rate]
    return {
        "model": label, "seed": seed, "settings": json.dumps(settings), "accuracy": statistics.fmean(found),
        "hits": "".join(map(str, found)),
    }  # fmt: skip


def report(rows: list[dict[str, Any]]) -> str:
    """Models in the order in which they were given."""
    by_model: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_model.setdefault(row["model"], []).append(row)
    first = _shares(next(iter(by_model.values())))
    lines = [
        "| model | accuracy, mean ± deviation over seeds | seeds | against the first, in pairs |",
        "| --- | --- | --- | --- |",
    ]
    for label, own in by_model.items():
        accuracies = [float(row["accuracy"]) for row in own]
        spread = statistics.stdev(accuracies) if len(own) > 1 else math.nan
        gap = paired_difference(_shares(own), first)
        told = f"{gap.mean_nats:+.1%} ± {gap.stderr_nats:.1%}" if own is not next(iter(by_model.values())) else ""
        lines.append(f"| {label} | {statistics.fmean(accuracies):.1%} ± {spread:.1%} | {len(own)} | {told} |")
    return "\n".join(lines) + "\n"


def _shares(rows: list[dict[str, Any]]) -> list[float]:
    """Of each sentence the share of seeds that found its label."""
    return [statistics.fmean(map(int, column)) for column in zip(*(row["hits"] for row in rows), strict=True)]


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    transformers_logging.set_verbosity_error()
    options.output.mkdir(parents=True, exist_ok=True)
    models = dict(text.split("=", 1) for text in options.models)
    wanted = [(label, seed) for seed in range(options.seeds) for label in models]
    index, count = map(int, options.part.split("/"))
    for label, seed in wanted[index::count]:
        file = options.output / f"run-{label.replace(' ', '-')}-{seed}.json"
        if not file.exists():
            row = run(label, models[label], seed, options)
            file.write_text(json.dumps(row), encoding="utf8")
            print(label, seed, f"{row['accuracy']:.1%}", flush=True)
    files = [
        options.output / f"run-{label.replace(' ', '-')}-{seed}.json"
        for label in models
        for seed in range(options.seeds)
    ]
    rows = [json.loads(file.read_text(encoding="utf8")) for file in files if file.exists()]
    write_csv(options.output / "runs.csv", rows)
    text = report(rows)
    (options.output / "downstream.md").write_text(text, encoding="utf8")
    print(text)


if __name__ == "__main__":
    main()
