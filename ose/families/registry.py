"""Which families there are. Reading the table imports none of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from ose.errors import InvalidInputError
from ose.families import others

if TYPE_CHECKING:
    from ose.families.base import Family, Shape

FAMILIES = {"bert": "ose.families.bert"}
"""The package of each family, with a `shape` and a `model` in it."""


def load_shape(family: str) -> Shape:
    """What can be said of a family without torch.

    Raises:
        InvalidInputError: There is no such family.
    """
    return cast("Shape", import_module(f"{_package_of(family)}.shape"))


def load_family(family: str) -> Family:
    """What builds a family's models and takes them apart; loads torch.

    Raises:
        InvalidInputError: There is no such family.
    """
    return cast("Family", import_module(f"{_package_of(family)}.model"))


def known_family(model_type: str) -> str | None:
    """The family to which Hugging Face's `model_type` belongs; None if none knows it."""
    return next((name for name in FAMILIES if model_type in load_shape(name).CLASSES), None)


def family_of_students(model_type: str) -> str:
    """The family of the students of such a teacher."""
    return known_family(model_type) or others.STUDENTS


def _package_of(family: str) -> str:
    if family not in FAMILIES:
        raise InvalidInputError(f"no family is called {family!r}; there are {', '.join(FAMILIES)}")
    return FAMILIES[family]
