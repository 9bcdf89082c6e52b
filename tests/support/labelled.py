"""Labelled files and fine-tunings of them, small enough to be run many times."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ose.core.finetuning import FinetuningRequest, FinetuningSpec, HeadRequest
from ose.core.spec import Columns, CorpusSpec
from ose.inputs.finetuning import inspect_finetuning

QUICK = FinetuningSpec(steps=6, batch_size=8, micro_batch_size=4, learning_rate=5e-3, checkpoint_every=2)


def write_table(file: Path, rows: Sequence[Sequence[object]], header: Sequence[str] = ("sentence", "kind")) -> Path:
    with file.open("w", newline="", encoding="utf8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return file


def lines_of(documents: list[str], count: int) -> list[str]:
    """So many lines of real text, each once."""
    lines = (line.strip() for document in documents for line in document.splitlines() if len(line.split()) > 2)
    return list(dict.fromkeys(lines))[:count]


def bracket_rows(documents: list[str], count: int) -> list[tuple[str, str]]:
    """Lines of real text, labelled by whether they have a bracket."""
    return [(line, "yes" if "(" in line else "no") for line in lines_of(documents, count)]


def corpus_of(train: Path, *validation: Path, **columns: str) -> CorpusSpec:
    return CorpusSpec(
        train=(str(train),),
        validation=tuple(map(str, validation)),
        columns=Columns(**{"text": "sentence", "label": "kind", **columns}),
    )


def finetuning(model: Path, corpus: CorpusSpec, folder: Path, **changes: Any) -> FinetuningRequest:
    asked: dict[str, Any] = {
        "spec": QUICK,
        "output": folder / "tuned",
        "folder": folder / "finetunings",
        "head": HeadRequest(),
        "seeds": (0,),
        "sequence_length": 32,
        "task": None,
        "threads": 1,
        "device": "cpu",
    }
    return inspect_finetuning(str(model), corpus, **{**asked, **changes})
