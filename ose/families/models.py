"""What can be asked of a model without knowing its family."""

from __future__ import annotations

from transformers import PreTrainedModel

from ose.core.architecture import Architecture
from ose.families.base import Family
from ose.families.parts import Parts
from ose.families.registry import family_of_students, load_family


def architecture_of(model: PreTrainedModel) -> Architecture:
    """The family and sizes of a model of a class that a family knows."""
    return _family(model).architecture_of(model)


def parts_of(model: PreTrainedModel, head: str) -> Parts:
    """Take a model apart.

    Raises:
        TeacherError: It has a parameter that no part names.
    """
    return _family(model).parts_of(model, head)


def _family(model: PreTrainedModel) -> Family:
    return load_family(family_of_students(model.config.model_type))
