"""Teachers, fine-tuned from an encoder, and what counts words in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

import ose
from benchmarks.classifiers.judged import Part, hits
from benchmarks.classifiers.sizes import TaskSizes
from ose.baselines.bag_of_words import BagOfWords
from ose.baselines.linear_model import fit
from ose.core.finetuning import FinetuningSpec
from ose.core.spec import CorpusSpec


def corpus_of(splits: Path, sizes: TaskSizes) -> CorpusSpec:
    """What is trained on, and what is held out of it. The official part is in neither."""
    return CorpusSpec(
        train=(str(splits / "train.csv"),),
        validation=(str(splits / "validation.csv"),),
        columns=sizes.columns,
        sequence_length=sizes.sequence_length,
    )


def make_teacher(
    workspace: ose.Workspace, encoder: Path, splits: Path, sizes: TaskSizes, output: Path
) -> dict[str, Any]:
    """As `ose finetune` does; goes on from its checkpoints, or repeats nothing."""
    report = workspace.finetune(
        encoder,
        corpus_of(splits, sizes),
        output,
        spec=FinetuningSpec(epochs=sizes.epochs, learning_rate=sizes.learning_rate),
        sequence_length=sizes.sequence_length,
        threads=1,
    )
    found: dict[str, Any] = {"folder": str(output), **report.to_json()}
    return found


def judged_teacher(teacher: Path, part: Part) -> dict[str, Any]:
    """Which items of a part it gets right."""
    return {"hits": hits(teacher, teacher, part)}


def bag_of_words(teacher: Path, train: Part, parts: dict[str, Part]) -> dict[str, Any]:
    """TF-IDF of words and characters with logistic regression, on the labels of the whole training part."""
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    texts = {name: _ids(tokenizer, part) for name, part in {**parts, "train": train}.items()}
    reader = BagOfWords(texts["train"], tokenizer)
    names = sorted(set(train.labels))
    sure = np.full((len(train.labels), 1, len(names)), -np.inf)
    sure[np.arange(len(train.labels)), 0, [names.index(label) for label in train.labels]] = 0.0
    model = fit(reader.features(reader.read(texts["train"])), sure, reader.strength)
    found = {}
    for name, part in parts.items():
        answers = model.answers(reader.features(reader.read(texts[name])))[:, 0].argmax(axis=1)
        found[name] = "".join(str(int(names[each] == label)) for each, label in zip(answers, part.labels, strict=True))
    return {"hits": found, "num_parameters": model.num_parameters}


def _ids(tokenizer: Any, part: Part) -> list[Any]:
    encoded = tokenizer(part.texts, add_special_tokens=False, truncation=True, max_length=part.sequence_length)
    return [(np.array(ids, dtype=np.int64),) for ids in encoded["input_ids"]]
