"""What can be asked of a model without knowing its family."""

from __future__ import annotations

from transformers import PreTrainedModel

from ose.core.architecture import Architecture
from ose.families.base import Family
from ose.families.parts import Parts
from ose.families.registry import family_of_students, load_family, load_shape


def architecture_of(model: PreTrainedModel) -> Architecture:
    """The family and sizes of a model of a class that a family knows."""
    return _family(model).architecture_of(model)


def parts_of(model: PreTrainedModel, head: str) -> Parts:
    """Take a model apart.

    Raises:
        TeacherError: It has a parameter that no part names.
    """
    return _family(model).parts_of(model, head)


def longest_input(model: PreTrainedModel) -> int:
    """Tokens for which its position table has rows."""
    config = model.config
    counts_from_padding = config.model_type in load_shape(family_of_students(config.model_type)).OFFSET_MODEL_TYPES
    return int(config.max_position_embeddings - (config.pad_token_id + 1 if counts_from_padding else 0))


def _family(model: PreTrainedModel) -> Family:
    return load_family(family_of_students(model.config.model_type))
