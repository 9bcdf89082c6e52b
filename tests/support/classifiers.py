"""Small classifiers whose weights hide nothing, and items of several lengths."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from models import SHAPE, shake
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
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
from ose.tasks.text_classification.calibration_sample import CalibrationSample
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind

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


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "distilbert": ("DistilBertTokenizer", {"n_layers": 2, "n_heads": 2, "dim": 16, "hidden_dim": 24}),
    "deberta-v2": ("BertTokenizer", SHAPE | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
    "modernbert": ("PreTrainedTokenizerFast", SHAPE | {"global_attn_every_n_layers": 2, "local_attention": 8}),
    "mpnet": ("MPNetTokenizer", SHAPE),
}
"""Classes that no family knows, by `model_type`, with the class of their tokenizer and their sizes."""

_LENGTH = 48


def put_teacher(folder: Path, model_type: str, wordpieces: Path, **config: Any) -> Path:
    """A classifier of any class with an opinion, and its tokenizer, which knows the words of another one.

    Args:
        folder: Where it is put.
        model_type: `bert`, `roberta` or one of OTHERS.
        wordpieces: Folder of a BERT's tokenizer.
        config: What its config.json is to have.
    """
    kind, sizes = OTHERS.get(model_type, ("BertTokenizer", SHAPE))
    words = AutoTokenizer.from_pretrained(wordpieces)
    named = {name: words.special_tokens_map[name] for name in words.special_tokens_map}
    if kind == "MPNetTokenizer":
        named = {"pad_token": words.convert_ids_to_tokens(1)}  # the class computes with 1, whatever stands there
    tokenizer = getattr(transformers, kind)(tokenizer_object=words._tokenizer, model_max_length=_LENGTH, **named)
    padding = 1 if model_type == "mpnet" else tokenizer.pad_token_id
    offset = padding + 1 if model_type in ("roberta", "mpnet") else 0
    built = AutoConfig.for_model(
        model_type,
        **sizes
        | {"vocab_size": len(tokenizer), "max_position_embeddings": _LENGTH + offset}
        | {"pad_token_id": padding}
        | config,
    )
    torch.manual_seed(0)
    shake(AutoModelForSequenceClassification.from_config(built), 0.2).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def put_pairs(
    folder: Path, documents: list[str], labels: Sequence[str] = ("no", "yes")
) -> tuple[CorpusSpec, CorpusFacts]:
    """Pairs of lines of real text in two JSONL files, some of them far longer than models take, one a character."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line.strip() for document in documents for line in document.splitlines() if len(line.split()) > 2]
    lines[:4] = ["word " * 300, "x", "Very long. " * 200, "y"]
    pairs = [(first, lines[i - 3], labels[i % len(labels)]) for i, first in enumerate(lines[:160])]
    for side, kept in (("train", pairs[:100]), ("validation", pairs[100:])):
        rows = (json.dumps(dict(zip(("one", "two", "kind"), each, strict=True))) for each in kept)
        (folder / f"{side}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf8")
    spec = CorpusSpec(
        train=(str(folder / "train.jsonl"),),
        validation=(str(folder / "validation.jsonl"),),
        columns=Columns(text="one", text_pair="two", label="kind"),
        sequence_length=24,
    )
    return spec, inspect_corpus(spec)
