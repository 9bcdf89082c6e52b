"""Small classifiers whose weights hide nothing, and items of several lengths."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from models import SHAPE, shake
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from ose.core.job import CorpusFacts
from ose.core.spec import Columns, CorpusSpec
from ose.inputs.corpora import inspect_corpus
from ose.tasks.text_classification.answers import answers_of, drawn_truth
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.task import CalibrationSample

_CLASSES = {
    "bert": (BertConfig, BertForSequenceClassification),
    "roberta": (RobertaConfig, RobertaForSequenceClassification),
}
_PAD = {"bert": 0, "roberta": 1}


def classifier(name: str, *, num_labels: int = 3, by: float = 0.1, **changes: Any) -> PreTrainedModel:
    """A shaken `roberta` or `bert` with an opinion."""
    config, model = _CLASSES[name]
    torch.manual_seed(0)
    return shake(model(config(**{**SHAPE, "num_labels": num_labels, "pad_token_id": _PAD[name], **changes})), by)


def items(name: str, count: int, width: int = 14, *, vocab_size: int = 40) -> TextItems:
    """Random texts of 3 to 14 tokens, padded to `width`; the same ones for every width."""
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.full((count, max(width, 14)), _PAD[name])
    input_ids[:, :14] = torch.randint(5, vocab_size, (count, 14), generator=generator)
    lengths = torch.randint(3, 15, (count,), generator=generator)
    input_ids[torch.arange(input_ids.shape[1]) >= lengths[:, None]] = _PAD[name]
    return TextItems(input_ids=input_ids, lengths=lengths)


def sample(teacher: PreTrainedModel, texts: TextItems, kind: Kind = "single_label") -> CalibrationSample:
    """The texts with what the teacher might say of them."""
    with torch.no_grad():
        answers = answers_of(teacher(**texts.inputs()).logits, kind)
    return CalibrationSample(texts, drawn_truth(answers, torch.Generator().manual_seed(0)), kind)


def put_labelled(folder: Path, documents: list[str]) -> tuple[CorpusSpec, CorpusFacts]:
    """Lines of real text in two CSV files, labelled by whether they have a bracket."""
    lines = [line.strip() for document in documents for line in document.splitlines() if len(line.split()) > 2]
    for side, kept in (("train", lines[::2]), ("validation", lines[1::2])):
        with (folder / f"{side}.csv").open("w", newline="", encoding="utf8") as file:
            writer = csv.writer(file)
            writer.writerows([("sentence", "kind"), *((line, "yes" if "(" in line else "no") for line in kept[:200])])
    spec = CorpusSpec(
        train=(str(folder / "train.csv"),),
        validation=(str(folder / "validation.csv"),),
        columns=Columns(text="sentence", label="kind"),
        sequence_length=32,
    )
    return spec, inspect_corpus(spec)
