"""The head of a model that is trained on labels: its own, the one asked for, or what the labels of the data call for.

Names are one label of many, in the order of the alphabet. Whole numbers are ids, of labels that have no other name;
numbers with a fraction, also one of zero, are amounts, which take one logit. Lists are several labels at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ose.core.finetuning import HeadRequest
from ose.errors import CorpusError, InvalidInputError
from ose.tasks.text_classification.head_labels import HeadLabels, head_labels, quoted
from ose.tasks.text_classification.kinds import KINDS, PROBLEM_TYPES, Kind, kind_of

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


def own_head(config: Mapping[str, Any], place: str) -> HeadLabels:
    """The labels of a head that is there.

    Raises:
        TeacherError: Its configuration contradicts itself.
    """
    return head_labels(config, kind_of(config, place))


def new_head(raws: Sequence[Any], request: HeadRequest) -> HeadLabels:
    """A new head for labels as their files have them.

    Args:
        raws: Of all rows that tell.
        request: What is asked for; it comes before what the labels call for.

    Raises:
        CorpusError: The labels are of no one form, or all the same.
        InvalidInputError: What is asked for contradicts itself.
    """
    kind = _kind(raws, request)
    if kind == "one_logit":
        if request.labels:
            raise InvalidInputError("labels that are amounts take one logit, which has no names; leave out --labels")
        return HeadLabels(kind=kind, names=("LABEL_0",), aliases={})
    names = request.labels or _names(raws, kind)
    if kind == "single_label" and len(names) < 2:
        only = quoted(names[0]) if names else "missing"
        raise CorpusError(f"all {len(raws):,} labels are {only}; a classifier needs two")
    return HeadLabels(kind=kind, names=names, aliases={})


def config_changes(head: HeadLabels) -> dict[str, Any]:
    """What a model's config.json says of the head."""
    names = dict(enumerate(head.names))
    return {
        "num_labels": len(names),
        "id2label": names,
        "label2id": {name: index for index, name in names.items()},
        "problem_type": PROBLEM_TYPES[head.kind],
    }


def _kind(raws: Sequence[Any], request: HeadRequest) -> Kind:
    if request.problem_type is not None:
        return KINDS[request.problem_type]
    lists = sum(isinstance(raw, list) for raw in raws)
    if lists and lists < len(raws):
        raise CorpusError(f"{lists:,} of {len(raws):,} labels are lists, the others are not")
    if lists:
        return "multi_label"
    is_amount = all(map(_is_number, raws)) and not all(map(_is_whole, raws)) and not request.labels
    return "one_logit" if is_amount else "single_label"


def _names(raws: Sequence[Any], kind: Kind) -> tuple[str, ...]:
    if kind == "multi_label":
        widths = {len(raw) for raw in raws}
        if len(widths) == 1 and all(value in (0, 1) for raw in raws for value in raw):
            return _numbered(widths.pop())
        raws = [value for raw in raws for value in raw]
    if raws and all(map(_is_id, raws)):
        return _of_ids({int(raw) for raw in raws})
    if numbers := [raw for raw in raws if not isinstance(raw, str | bool)]:
        raise CorpusError(f"{quoted(numbers[0])} among the labels is neither a name nor an id; labels are of one form")
    return tuple(sorted({str(raw) for raw in raws}))


def _of_ids(ids: set[int]) -> tuple[str, ...]:
    """Names of all ids up to the largest, as transformers has them."""
    if len(ids) < 2:
        return tuple(map(str, ids))
    if max(ids) >= 2 * len(ids) + 8:
        raise CorpusError(
            f"the labels are whole numbers up to {max(ids):,}, of which only {len(ids):,} occur: as ids they have too "
            "many gaps; --problem-type regression takes them as amounts"
        )
    return _numbered(max(ids) + 1)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"LABEL_{index}" for index in range(count))


def _is_whole(raw: Any) -> bool:
    if isinstance(raw, str):
        return _WHOLE.fullmatch(raw) is not None
    return isinstance(raw, int) and not isinstance(raw, bool)


def _is_id(raw: Any) -> bool:
    return _is_whole(raw) or (isinstance(raw, float) and raw.is_integer())


def _is_number(raw: Any) -> bool:
    if isinstance(raw, str):
        return _NUMBER.fullmatch(raw) is not None
    return isinstance(raw, int | float) and not isinstance(raw, bool)
