"""Which documents of a corpus are trained on, and which are held out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ose.core.job import CorpusFacts
from ose.core.spec import CorpusSpec
from ose.data.documents import iter_documents
from ose.data.text_position import Side, position_of
from ose.data.unchanged import while_unchanged

HELD_OUT_SHARE = 1 / 32
"""Share of the documents held out when a job names no validation text."""


def side_documents(
    facts: CorpusFacts, spec: CorpusSpec, side: Side, most_characters: float = math.inf
) -> Iterator[str]:
    """Yield the documents of one side of a corpus; where no held-out text is named, a part of the training text is.

    Args:
        facts: The files.
        spec: Their columns.
        side: Which documents.
        most_characters: After how many the reading ends, those of the other side counted.

    Raises:
        CorpusError: As `iter_documents`, or the text has changed.
    """
    paths = facts.validation if facts.validation and side == "validation" else facts.train
    for document in documents_of(paths, facts, spec):
        if facts.validation or (position_of(document, "held-out") < HELD_OUT_SHARE) == (side == "validation"):
            yield document
        most_characters -= len(document)
        if most_characters < 0:
            return


def documents_of(paths: Sequence[str], facts: CorpusFacts, spec: CorpusSpec) -> Iterator[str]:
    """Yield the documents of some of a corpus's sources, which must be what they were when the job was submitted.

    Raises:
        CorpusError: As `iter_documents`, or the text has changed.
    """
    root = None if facts.root is None else Path(facts.root)
    documents = iter_documents(paths, spec.columns.text, root, tables=facts.tables, quotes=spec.quotes)
    return while_unchanged(facts, documents)
