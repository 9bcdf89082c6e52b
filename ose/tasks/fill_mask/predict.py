"""Fill in a mask: what a model says of a text."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer
from ose.tasks.probes import TEXTS, Inputs, encoded, first_token


def likeliest_fillings(folder: Path, text: str, count: int = 5) -> list[tuple[str, float]]:
    """The likeliest fillings of the first mask in `text`.

    Args:
        folder: An export, or any other model with its tokenizer.
        text: With the tokenizer's mask token, or `<mask>`, which is replaced by it.
        count: How many.

    Returns:
        Tokens with their probabilities, likeliest first.

    Raises:
        TeacherError: There is no masked language model in `folder`.
    """
    tokenizer, model = load_tokenizer(folder), load_masked_lm(folder)
    encoded = tokenizer(text.replace("<mask>", tokenizer.mask_token), return_tensors="pt", return_token_type_ids=False)
    position = (encoded["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0]
    with torch.inference_mode():
        probabilities = model(**encoded).logits[0, position].softmax(dim=-1)
    top = probabilities.topk(count)
    return [
        (str(tokenizer.decode([token])).strip(), value)
        for token, value in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]


def probes(tokenizer: PreTrainedTokenizerBase) -> list[Inputs]:
    """Texts with and without a mask, each on its own, and the first token alone."""
    texts = [f"Return the {tokenizer.mask_token} of the list.", *TEXTS]
    alone = [encoded(tokenizer, [text]) for text in texts]
    return [*alone, first_token(alone[0])]
