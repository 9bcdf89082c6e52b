"""The recipe of a distillation that is asked for: a job's own, with changes that may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ose.core.presets import changed_content
from ose.core.recipe import DistillationSpec
from ose.inputs.validation import validate


def changed_recipe(spec: DistillationSpec, changes: Mapping[str, Any]) -> DistillationSpec:
    """`spec` with changes over it, held to the same rules as a job file's `distillation`.

    Raises:
        InvalidInputError: No such preset or field, or a value that is none for its field.
    """
    return validate(DistillationSpec, changed_content(spec, changes), "changes")
