"""Which items of a part a classifier gets right, one by one, so that models are compared in pairs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.classifiers.sizes import TaskSizes

_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of a CSV file.

    Attributes:
        groups: Rows of one group count as one item for errors.
    """

    texts: list[str]
    labels: list[str]
    groups: list[str]
    sequence_length: int


def read_part(file: Path, sizes: TaskSizes) -> Part:
    """The part in a file."""
    with file.open(encoding="utf8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sizes.columns.label is not None
    has_groups = sizes.groups is not None and sizes.groups in rows[0]
    return Part(
        texts=[row[sizes.columns.text] for row in rows],
        labels=[row[sizes.columns.label] for row in rows],
        groups=[row[str(sizes.groups)] if has_groups else str(place) for place, row in enumerate(rows)],
        sequence_length=sizes.sequence_length,
    )


@torch.inference_mode()
def hits(model_folder: Path, tokenizer_folder: Path, part: Part) -> str:
    """A 1 for each item that is given its label, in the order of the file, and a 0 for each other one."""
    model = AutoModelForSequenceClassification.from_pretrained(model_folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    encoded = tokenizer(part.texts, truncation=True, max_length=part.sequence_length)["input_ids"]
    order = sorted(range(len(encoded)), key=lambda row: len(encoded[row]))  # little is padded
    ids = _ids_of_labels(model.config, part.labels)
    found = ["0"] * len(order)
    for first in range(0, len(order), _BATCH):
        rows = order[first : first + _BATCH]
        batch = tokenizer.pad({"input_ids": [encoded[row] for row in rows]}, return_tensors="pt")
        answers = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.argmax(-1)
        for row, answer in zip(rows, answers.tolist(), strict=True):
            found[row] = str(int(answer == ids[row]))
    return "".join(found)


def _ids_of_labels(config: Any, labels: list[str]) -> list[int]:
    """Names are looked up; numbers that are no names are ids."""
    known = config.label2id
    return [known[label] if label in known else int(label) for label in labels]
