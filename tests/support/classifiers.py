"""Small classifiers whose weights hide nothing, and items of several lengths."""

from __future__ import annotations

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
