"""What the outputs of a classifier mean: one label of many, several at once, or one number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ose.core.finetuning import ProblemType
from ose.errors import TeacherError

Kind = Literal["single_label", "multi_label", "one_logit"]

PROBLEM_TYPES: Mapping[Kind, ProblemType] = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
    "one_logit": "regression",
}
"""Hugging Face's names."""

KINDS: Mapping[str, Kind] = {name: kind for kind, name in PROBLEM_TYPES.items()}

_DEFAULT_LABELS = 2
"""What transformers takes where config.json tells no number."""


def kind_of(config: Mapping[str, Any], place: Path | str) -> Kind:
    """The kind by a model's config.json: its `problem_type`, or where it has none, one logit if there is one label.

    One output with `single_label_classification` is a softmax over one label: always 1, whatever the text.

    Raises:
        TeacherError: The problem type and the number of labels do not go together.
    """
    count, stated = num_labels(config, place), config.get("problem_type")
    if stated is not None and stated not in list(KINDS):  # a list may stand there, which no table can be asked for
        raise TeacherError(f"{place}: problem_type must be one of {', '.join(KINDS)}, not {str(stated)[:60]!r}")
    kind = KINDS[stated] if stated is not None else "one_logit" if count == 1 else "single_label"
    if kind == "one_logit" and count > 1:
        raise TeacherError(f"{place}: a regression of {count} numbers at once is no task of OSE's; it takes one")
    if kind == "single_label" and count == 1:
        raise TeacherError(f"{place}: one label of one ({stated}) is always right; set problem_type to regression")
    return kind


def num_labels(config: Mapping[str, Any], place: Path | str) -> int:
    """How many outputs the head has by config.json.

    Raises:
        TeacherError: It does not say so in any form that transformers reads.
    """
    names, count = config.get("id2label"), config.get("num_labels")
    found = len(names) if isinstance(names, Mapping) and names else _DEFAULT_LABELS if count is None else count
    if type(found) is not int or found < 1:
        raise TeacherError(f"{place}: num_labels must be a whole number from 1 up, not {str(found)[:60]!r}")
    return found


def threshold_of(problem_type: str | None) -> float:
    """What one logit has to exceed to say 1 where labels are 0 and 1.

    0 is right of a logit, which a reranker has; a regression, which is trained by squared error, has 0.5 between them.
    """
    return 0.5 if problem_type == PROBLEM_TYPES["one_logit"] else 0.0
