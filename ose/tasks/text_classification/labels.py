"""Labels of a corpus, as its files have them, brought to what the teacher's head says.

A name is the teacher's label of that name: first exactly, then without regard to case, then as `LABEL_3`, which is its
label 3. A number is the teacher's id. Text from CSV that reads as a number is one, unless the teacher has a label of
that name. Several labels at once are a list of names or ids, or a vector of 0 and 1 for each label; a column has one of
the two forms (`is_vector_column`). One logit takes numbers alone.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.errors import CorpusError
from ose.tasks.text_classification.head_labels import HeadLabels, listed, quoted
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.resampling import Ids

Label = int | float | tuple[int, ...]
"""An id; of one logit a number; of several labels at once 0 or 1 for each."""

_LONGEST_LIST = 20_000
"""Characters of a list that is written as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReader:
    """Reads the labels of one column, row by row.

    Attributes:
        head: The teacher's labels.
        is_vectors: Several labels come as vectors of 0 and 1.
    """

    head: HeadLabels
    is_vectors: bool = False

    def read(self, raw: Any, place: str) -> Label:
        """One row's label, as the head takes it.

        Args:
            raw: As the file has it.
            place: File and line, for messages.

        Raises:
            CorpusError: It is missing, or none of the teacher's.
        """
        try:
            return _READERS[self.head.kind](self, raw)
        except _UnreadableLabel as error:
            raise CorpusError(f"{place}: {error}") from None

    def is_numbered(self, raw: Any) -> bool:
        """Whether one label is given by its number: a teacher may count its labels in another order, names it knows."""
        values = _as_list(raw) or [raw]
        return self.head.kind == "single_label" and not self.head.is_name(str(values[0]).strip())


def label_reader(head: HeadLabels, raws: Iterable[Any]) -> LabelReader:
    """The reader of a column, whose form follows from all of its rows."""
    is_vectors = head.kind == "multi_label" and is_vector_column(raws, head.num_labels)
    return LabelReader(head=head, is_vectors=is_vectors)


def is_vector_column(raws: Iterable[Any], num_labels: int) -> bool:
    """Whether lists of labels are vectors of 0 and 1, and not ids.

    They are if all of them could be, or if one can be nothing else: it has an entry for each label, and says 0 or 1
    twice, as no list of ids does.
    """
    may_be: list[bool] = []
    for values in (each for each in map(_as_list, raws) if each is not None):
        may_be.append(_is_vector(values, num_labels))
        if may_be[-1] and len({*map(_number, values)}) < len(values):
            return True
    return bool(may_be) and all(may_be)


def read_labels(head: HeadLabels, rows: Sequence[tuple[str, Any]]) -> NDArray[Any]:
    """All labels of a column, as metrics take them: ids (N,), 0 or 1 (N, L), or numbers (N,).

    Args:
        head: The teacher's labels.
        rows: Place and label of each row.

    Raises:
        CorpusError: One is missing, or none of the teacher's; says which.
    """
    reader = label_reader(head, (raw for _, raw in rows))
    return np.array([reader.read(raw, place) for place, raw in rows], dtype=label_dtype(head.kind))


def label_dtype(kind: Kind) -> type[np.generic]:
    """How labels are kept: ids and marks as integers, the numbers of one logit as they are."""
    return np.float64 if kind == "one_logit" else np.int64


def labels_without_example(head: HeadLabels, labels: NDArray[Any]) -> tuple[str, ...]:
    """The teacher's labels that no item has; what a model makes of them is not measured."""
    if head.kind == "one_logit":
        return ()
    found = set(np.flatnonzero(labels.any(axis=0)) if head.kind == "multi_label" else labels)
    return tuple(name for index, name in enumerate(head.names) if index not in found)


def require_different_labels(head: HeadLabels, labels: NDArray[Any], query_ids: Ids | None = None) -> None:
    """Refuse labels by which no model can be told from another.

    Raises:
        CorpusError: There are none, all are the same, or answers to queries have labels below 0.
    """
    if not len(labels):
        raise CorpusError("the validation part has no item with a label")
    if (labels == labels[0]).all():
        raise CorpusError(
            f"all {len(labels):,} labels of the validation part are {_label_text(head, labels[0])}; metrics need two"
        )
    if query_ids is not None and labels.min() < 0:
        raise CorpusError(f"a label of answers to queries must be 0 or more, not {labels.min():g}")


class _UnreadableLabel(ValueError):
    """A label that cannot be used; says why, without its place."""


def _one_label(reader: LabelReader, raw: Any) -> int:
    return _id(reader.head, raw[0] if isinstance(raw, list | tuple) and len(raw) == 1 else raw)


def _several_labels(reader: LabelReader, raw: Any) -> tuple[int, ...]:
    head, values = reader.head, _as_list(raw)
    values = [raw] if values is None else values
    if reader.is_vectors:
        if not _is_vector(values, head.num_labels):
            raise _UnreadableLabel(
                f"the label {quoted(raw)} is no list of {head.num_labels} times 0 or 1, as others are"
            )
        return tuple(int(_number(each) == 1) for each in values)
    ids = [_id(head, each) for each in values]
    if len(set(ids)) < len(ids):
        raise _UnreadableLabel(
            f"the label {quoted(raw)} names one label twice; a list of 0 and 1 needs {head.num_labels} of them"
        )
    return tuple(int(index in ids) for index in range(head.num_labels))


def _one_number(reader: LabelReader, raw: Any) -> float:
    number = _number(raw)
    if number is None:
        raise _UnreadableLabel(f"{_missing(raw)}; a model of one logit needs a number")
    return number


_READERS: dict[Kind, Callable[[LabelReader, Any], Label]] = {
    "single_label": _one_label,
    "multi_label": _several_labels,
    "one_logit": _one_number,
}


def _id(head: HeadLabels, raw: Any) -> int:
    if isinstance(raw, str | bool) and (index := head.id_of_name(str(raw).strip())) is not None:
        return index
    number = _number(raw)
    if number is None:
        raise _UnreadableLabel(_unknown(head, raw))
    if number.is_integer() and 0 <= number < head.num_labels:
        return int(number)
    hidden = "; -1 is how GLUE writes labels that it keeps secret" if number == -1 else ""
    raise _UnreadableLabel(f"the label {quoted(raw)} is no id of the model's, 0 to {head.num_labels - 1}{hidden}")


def _unknown(head: HeadLabels, raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        return _missing(raw)
    name = raw.strip()
    if name in head.names:
        return f"more than one label of the model is called {quoted(name)}; only ids tell them from each other"
    return f"the model has no label {quoted(name)}; {head.hint(name)}"


def _missing(raw: Any) -> str:
    is_nothing = raw is None or (isinstance(raw, str) and not raw.strip()) or (isinstance(raw, float) and raw != raw)
    return "the row has no label" if is_nothing else f"the label {quoted(raw)} cannot be used"


def _number(raw: Any) -> float | None:
    """A finite number, also one that is written as text; None of everything else."""
    is_number = isinstance(raw, int | float | np.integer | np.floating | np.bool_)
    if not is_number and not (isinstance(raw, str) and "_" not in raw):  # Python takes 1_0 for 10
        return None
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _as_list(raw: Any) -> list[Any] | None:
    """A list, also one that is written as text, in JSON or in Python; None of everything else."""
    if isinstance(raw, list | tuple):
        return list(raw)
    if isinstance(raw, np.ndarray):
        return raw.tolist() if raw.ndim == 1 else None
    text = raw.strip() if isinstance(raw, str) else ""
    if not (text.startswith("[") and text.endswith("]")) or len(text) > _LONGEST_LIST:
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, list) else None
    return None


def _is_vector(values: Sequence[Any], num_labels: int) -> bool:
    return len(values) == num_labels and all(_number(each) in (0.0, 1.0) for each in values)


def _label_text(head: HeadLabels, label: Any) -> str:
    if head.kind == "one_logit":
        return f"{label:g}"
    if head.kind == "single_label":
        return quoted(head.names[label])
    return listed([name for name, has in zip(head.names, label, strict=True) if has]) or "none"
