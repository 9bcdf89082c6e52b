"""Dataclasses as they are shown: in answers, tables, manifests and keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ose.core.architecture import BERT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def plain(value: DataclassInstance) -> dict[str, Any]:
    """A dataclass as `dataclasses.asdict` gives it, but an architecture names its family only where it is not BERT's.

    So what is shown of students of BERT's build, and the keys that are made of it, are what they were before there
    were other families.
    """
    return asdict(value, dict_factory=_without_bert)


def _without_bert(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if (name, value) != ("family", BERT)}
