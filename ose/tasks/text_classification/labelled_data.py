"""A labelled corpus, encoded for one model and told in the ids of its head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from ose.core.finetuning import FinetuningRequest
from ose.data.row_sides import iter_side, overlap_share
from ose.data.tables import Row
from ose.errors import CorpusError, InvalidInputError
from ose.tasks.choice import class_of
from ose.tasks.labelled import LabelledData
from ose.tasks.loading import load_config
from ose.tasks.text_classification.encoding import EncodedRows, encoded_rows
from ose.tasks.text_classification.head_labels import HeadLabels
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import PROBLEM_TYPES
from ose.tasks.text_classification.labels import labels_without_example, read_labels, require_different_labels
from ose.tasks.text_classification.new_head import new_head, own_head
from ose.tasks.text_classification.rules import RULES


def labelled_data(request: FinetuningRequest, tokenizer: PreTrainedTokenizerBase) -> LabelledData:
    """See `ose.tasks.labelled.LabelledTask`."""
    train, validation = (list(iter_side(request.corpus, request.corpus_spec, side)) for side in ("train", "validation"))
    _require_rows(train, validation)
    told = train if request.corpus.validation else [*train, *validation]
    head, is_new = _head(request, told)
    labels = [_labels(rows, head, is_new=is_new) for rows in (train, validation)]
    has_types = has_token_types(request.model)
    length = request.corpus_spec.sequence_length
    encoded = [encoded_rows(rows, tokenizer, length, has_token_types=has_types) for rows in (train, validation)]
    sides = [_labelled(*side) for side in zip(encoded, labels, strict=True)]
    _require_some_difference(head, sides[1].items)
    cut = sum(side.share_cut * len(side.items) for side in sides) / sum(len(side.items) for side in sides)
    assert sides[0].items.labels is not None
    return LabelledData(
        head=head,
        is_new_head=is_new,
        problem_type=PROBLEM_TYPES[head.kind],
        labels=() if head.kind == "one_logit" else head.names,
        train=sides[0].items,
        validation=sides[1].items,
        num_train=len(train),
        num_validation=len(validation),
        share_cut=cut,
        overlap_share=overlap_share(train, validation),
        labels_without_example=labels_without_example(head, sides[0].items.labels.numpy()),
    )


def _head(request: FinetuningRequest, rows: Sequence[Row]) -> tuple[HeadLabels, bool]:
    """What the model's outputs are to be, and whether it has them not yet."""
    asked, config = request.head, load_config(request.model).to_dict()
    has_head = RULES.suits(class_of(config)) and class_of(config) != ""
    if not has_head or asked.is_new:
        return new_head([row.label for row in rows], asked), True
    own = own_head(config, request.model)
    if asked.labels not in ((), own.names) or asked.problem_type not in (None, PROBLEM_TYPES[own.kind]):
        raise InvalidInputError(
            f"{request.model} has a head of its own, {PROBLEM_TYPES[own.kind]} with {own.num_labels} labels; "
            "--new-head gives it another"
        )
    return own, False


def _labels(rows: Sequence[Row], head: HeadLabels, *, is_new: bool) -> torch.Tensor:
    try:
        return torch.from_numpy(read_labels(head, [(row.place, row.label) for row in rows]))
    except CorpusError as error:
        raise CorpusError(f"{error}" if is_new else f"{error}; --new-head gives the model other labels") from None


def _labelled(encoded: EncodedRows, labels: torch.Tensor) -> EncodedRows:
    return replace(encoded, items=replace(encoded.items, labels=labels))


def _require_rows(train: Sequence[Row], validation: Sequence[Row]) -> None:
    for name, rows in (("training", train), ("validation", validation)):
        if not rows:
            raise CorpusError(f"the {name} part has no row")


def _require_some_difference(head: HeadLabels, items: TextItems) -> None:
    assert items.labels is not None
    queries = None if items.queries is None else items.queries.numpy()
    require_different_labels(head, items.labels.numpy(), queries)


def has_token_types(model: str | Path) -> bool:
    """Whether a model has more than one kind of token.

    Raises:
        TeacherError: Its configuration cannot be loaded.
    """
    return int(getattr(load_config(model), "type_vocab_size", 1) or 1) > 1
