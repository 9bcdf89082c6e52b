"""Load a trained classifier and its tokenizer."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from ose.tasks import loading
from ose.tasks.text_classification.kinds import Kind, kind_of
from ose.tasks.text_classification.rules import RULES

MODEL_CLASS = AutoModelForSequenceClassification


def load_classifier(path: str | Path, digest: str | None = None) -> PreTrainedModel:
    """Load a classifier. See `ose.tasks.loading.load_model`.

    Raises:
        TeacherError: The directory holds no complete classifier, or another one than it did.
    """
    return loading.load_model(MODEL_CLASS, path, digest, RULES)


def load_tokenizer(path: str | Path, digest: str | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer that lies beside a classifier. See `ose.tasks.loading.load_tokenizer`.

    Raises:
        TeacherError: There is none, or it cannot pad, or it has changed.
    """
    return loading.load_tokenizer(path, digest, needed=("pad_token",))


def kind_of_model(model: PreTrainedModel) -> Kind:
    """What its outputs mean."""
    return kind_of(model.config.to_dict(), str(model.name_or_path))
