"""Dataclasses as they are shown: in answers, tables, manifests and keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ose.core.architecture import BERT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def plain(value: DataclassInstance) -> dict[str, Any]:
    """A dataclass as `dataclasses.asdict` gives it, but an architecture names its family only where it is not BERT's.

    A job does not say which of its fields its file named.

    So what is shown of students of BERT's build, and the keys that are made of it, are what they were before there
    were other families.
    """
    return asdict(value, dict_factory=_shown)


def _shown(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if (name, value) != ("family", BERT) and name != "spelled_out"}


def strict_json(value: Any) -> Any:
    """A plain value in which null stands for NaN and the infinite numbers, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: strict_json(each) for name, each in value.items()}
    return [strict_json(each) for each in value] if isinstance(value, list | tuple) else value
