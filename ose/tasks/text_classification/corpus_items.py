"""Draw and encode items of a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from ose.artifacts.intact import is_intact
from ose.core.job import Job, TeacherFacts
from ose.core.messages import CalibrationRequest, DataRequest
from ose.core.packed_text import packed_text_key
from ose.data.row_sides import draw_rows, iter_side
from ose.data.tables import Row
from ose.data.text_position import Side
from ose.errors import CorpusError
from ose.tasks.loading import load_config
from ose.tasks.spelled import require_spelled
from ose.tasks.text_classification.encoding import encoded_rows
from ose.tasks.text_classification.head_labels import head_labels
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind, kind_of, threshold_of
from ose.tasks.text_classification.labels import read_labels
from ose.tasks.text_classification.teacher import load_tokenizer

_CHARACTERS_PER_TOKEN = 8

_TOGETHER, _RUNS = 32, 16
"""Items of about one length stand together, as many as a usual batch has, out of so many batches' worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnItems:
    """Items of one side of a corpus.

    Attributes:
        items: In the order in which they are trained on.
        kind: What the model's outputs mean.
        threshold: What one of them has to exceed to say 1.
        share_cut: Of the items, those that were longer than the sequence length.
    """

    items: TextItems
    kind: Kind
    threshold: float
    share_cut: float


def sample_items(request: DataRequest | CalibrationRequest, side: Side, count: int, seed: int) -> DrawnItems:
    """Draw up to `count` items of one side of a request's corpus, by their hash.

    Raises:
        CorpusError: There is none, or one cannot be used.
        TeacherError: The tokenizer or the configuration cannot be loaded.
    """
    teacher, spec = request.teacher, request.corpus_spec
    rows = draw_rows(iter_side(request.corpus, spec, side), count, seed, _CHARACTERS_PER_TOKEN * spec.max_tokens)
    _require_some(rows, side)
    tokenizer = load_tokenizer(teacher.path, teacher.digest)
    require_spelled(request, (row.text for row in rows), tokenizer)
    drawn = _encoded(rows, teacher, tokenizer, spec.sequence_length)
    return replace(drawn, items=drawn.items.take(_by_length(drawn.items.lengths, seed)))


def training_items(job: Job, tokenizer: PreTrainedTokenizerBase, folder: Path) -> TextItems:
    """All items of a job's training part, encoded once and kept in a folder.

    Raises:
        CorpusError: There is none, or one cannot be used.
        StorageError: The folder cannot be written.
    """
    file = folder / f"{packed_text_key(job)}.safetensors"
    if not is_intact(file):
        rows = list(iter_side(job.corpus, job.spec.corpus, "train"))
        _require_some(rows, "train")
        _encoded(rows, job.teacher, tokenizer, job.spec.corpus.sequence_length).items.save(file)
    return TextItems.load(file)


def _encoded(
    rows: list[Row], teacher: TeacherFacts, tokenizer: PreTrainedTokenizerBase, sequence_length: int
) -> DrawnItems:
    config = load_config(teacher.path).to_dict()
    kind = kind_of(config, Path(teacher.path))
    has_types = teacher.embedding.type_vocab_size > 1
    encoded = encoded_rows(rows, tokenizer, sequence_length, has_token_types=has_types)
    items = replace(encoded.items, labels=_labels(rows, config, kind))
    threshold = threshold_of(config.get("problem_type"))
    return DrawnItems(items=items, kind=kind, threshold=threshold, share_cut=encoded.share_cut)


def _require_some(rows: Sequence[Row], side: Side) -> None:
    if not rows:
        raise CorpusError(f"the {side} part of the corpus has no row")


def _labels(rows: list[Row], config: dict[str, Any], kind: Kind) -> torch.Tensor | None:
    if rows[0].label is None:
        return None
    return torch.from_numpy(read_labels(head_labels(config, kind), [(row.place, row.label) for row in rows]))


def _by_length(lengths: torch.Tensor, seed: int) -> torch.Tensor:
    """An order in which neighbours have about one length, so that batches have little padding; it is shuffled twice."""
    generator = torch.Generator().manual_seed(seed)
    runs: list[torch.Tensor] = []
    for some in torch.randperm(len(lengths), generator=generator).split(_TOGETHER * _RUNS):
        runs += some[lengths[some].argsort(stable=True)].split(_TOGETHER)
    return torch.cat([runs[index] for index in torch.randperm(len(runs), generator=generator).tolist()])
