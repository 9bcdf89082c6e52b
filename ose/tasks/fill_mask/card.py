"""The model card of an exported masked language model."""

from __future__ import annotations

from ose.tasks import model_card
from ose.tasks.fill_mask.rules import RULES
from ose.tasks.model_card import THIS, Manifest


def student_card(manifest: Manifest) -> str:
    """The model card: what the student is, how good, how fast, and how to use it."""
    return f"""{model_card.front_matter(RULES, manifest)}
{model_card.heading(RULES, manifest)}

{model_card.comparison(manifest, "cross-entropy to the teacher, nats")}

{model_card.speed(RULES, manifest)}

## How it was made

{model_card.origin(manifest)}

## How to use it

{model_card.code(_USAGE)}
"""


_USAGE = f"""
from transformers import AutoModelForMaskedLM, AutoTokenizer

model = {RULES.loaded_from(THIS)}
tokenizer = AutoTokenizer.from_pretrained("{THIS}")
"""
