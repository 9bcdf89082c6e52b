"""What a classifier says of a text."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from ose.tasks.probes import TEXTS, Inputs, encoded, first_token
from ose.tasks.text_classification.teacher import kind_of_model, load_classifier, load_tokenizer


def likeliest_labels(folder: Path, text: str, count: int = 5) -> list[tuple[str, float]]:
    """The likeliest labels of a text with their probabilities, likeliest first; of one logit the logit itself.

    Args:
        folder: An export, or any other classifier with its tokenizer.
        text: To be classified.
        count: Labels wanted.

    Raises:
        TeacherError: There is no classifier in `folder`.
    """
    tokenizer, model = load_tokenizer(folder), load_classifier(folder)
    with torch.inference_mode():
        logits = model(**tokenizer(text, return_tensors="pt", truncation=True)).logits[0]
    kind = kind_of_model(model)
    values = logits if kind == "one_logit" else logits.softmax(-1) if kind == "single_label" else logits.sigmoid()
    names = model.config.id2label or {}
    top = values.topk(min(count, len(values)))
    return [
        (str(names.get(index, index)), value)
        for index, value in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]


def probes(tokenizer: PreTrainedTokenizerBase) -> list[Inputs]:
    """Texts, and pairs of them, each on its own and padded to the longest, and the first token alone."""
    others = (*TEXTS[1:], TEXTS[0])
    alone = [encoded(tokenizer, [text]) for text in TEXTS]
    pairs = [encoded(tokenizer, [text], [other]) for text, other in zip(TEXTS, others, strict=True)]
    return [*alone, *pairs, encoded(tokenizer, TEXTS), encoded(tokenizer, TEXTS, others), first_token(alone[0])]
