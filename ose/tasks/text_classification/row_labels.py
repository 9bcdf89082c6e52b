"""Hold labels of a corpus against the teacher's before a job is queued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ose.data.tables import Row
from ose.tasks.text_classification.head_labels import head_labels
from ose.tasks.text_classification.kinds import kind_of
from ose.tasks.text_classification.labels import labels_without_example, read_labels, require_different_labels


def check_labels(config: Mapping[str, Any], train: Sequence[Row], held_out: Sequence[Row]) -> tuple[str, ...]:
    """Read the labels of some rows of either side.

    Returns:
        The teacher's labels that no held-out row has.

    Raises:
        CorpusError: A label is none of the teacher's, by file and line, or no model can be told by the held-out ones.
        TeacherError: The labels in config.json contradict each other.
    """
    head = head_labels(config, kind_of(config, "config.json"))
    read = [read_labels(head, [(row.place, row.label) for row in rows]) for rows in (train, held_out)]
    require_different_labels(head, read[1], _query_numbers(held_out))
    return labels_without_example(head, read[1])


def _query_numbers(rows: Sequence[Row]) -> Any:
    import numpy as np

    return None if rows[0].query_id is None else np.unique([row.query_id for row in rows], return_inverse=True)[1]
