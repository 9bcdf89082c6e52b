"""The items of a search: drawn once from the corpus, the same for every candidate.

A folder, named after everything that decides its content, holds

    train.safetensors, validation.safetensors    encoded items, with labels where the corpus has them
    answers-00000.npy, ...                       the teacher's logits for the training items
    held-out.npy                                 the same for the held-out ones
    teacher.json                                 the teacher's own quality there
    data.json                                    what the outputs mean, and what is to be told of the corpus

A few numbers an item are all that is kept of the teacher's answers, and they are kept whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from ose.artifacts.files import remove_leftovers
from ose.artifacts.intact import intact_file, is_intact, require_intact, write_intact_json
from ose.core.measurement import TeacherCheck, TeacherQuality
from ose.core.messages import DataRequest, DataSpan, DataSummary, TargetsRequest
from ose.core.recipe import Precision
from ose.data.search_spans import ONE_SPAN, Span
from ose.data.text_position import Side
from ose.errors import CorpusError, StorageError
from ose.tasks.judgement import doubts_of, repeated_checks
from ose.tasks.stored_quality import read_quality
from ose.tasks.text_classification.answers import answers_of
from ose.tasks.text_classification.classification_data import ClassificationData
from ose.tasks.text_classification.corpus_items import sample_items
from ose.tasks.text_classification.forward import all_logits
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind, threshold_of
from ose.tasks.text_classification.label_order import fitting_order
from ose.tasks.text_classification.most_frequent import most_frequent_check
from ose.tasks.text_classification.quality import quality_of_logits
from ose.tasks.text_classification.teacher import kind_of_model
from ose.tasks.text_classification.untrained_head import untrained_head

_MIN_HELD_OUT = 8
_DATA, _TEACHER, _HELD_OUT = "data.json", "teacher.json", "held-out.npy"
_SIDES: tuple[Side, ...] = ("train", "validation")


def prepare_data(request: DataRequest) -> DataSummary:
    """Draw and encode the items, unless the folder has them already.

    Raises:
        CorpusError: There are too few, or one cannot be used.
        TeacherError: The tokenizer cannot be loaded.
        StorageError: The folder cannot be written.
    """
    folder = Path(request.folder)
    remove_leftovers(folder)
    wanted = dict(zip(_SIDES, (request.num_sequences, request.held_out_sequences), strict=True))
    files = [folder / _DATA, *(folder / f"{side}.safetensors" for side, count in wanted.items() if count)]
    if not all([is_intact(file) for file in files]):
        told: dict[str, Any] = {}
        for side in (side for side, count in wanted.items() if count):
            drawn = sample_items(request, side, wanted[side], request.seed)
            drawn.items.save(folder / f"{side}.safetensors")
            told |= {"kind": drawn.kind, "threshold": drawn.threshold}
            told[side] = {"count": len(drawn.items), "cut": drawn.share_cut}
        _require_held_out(told)
        write_intact_json(folder / _DATA, told)
    told = _told(folder)
    counts = [told.get(side, {}).get("count", 0) for side in _SIDES]
    return DataSummary(num_sequences=counts[0], held_out_sequences=counts[1])


def compute_targets(request: TargetsRequest, teacher: PreTrainedModel) -> TeacherQuality | None:
    """Ask the teacher about one shard, unless its answers are stored already.

    Returns:
        The teacher's own quality for the held-out items, None for a shard of the training items.

    Raises:
        StorageError: The folder cannot be written.
    """
    folder = Path(request.folder)
    if request.shard is None:
        return _held_out_targets(folder, teacher, request.precision)
    file = folder / f"answers-{request.shard:05d}.npy"
    if not is_intact(file):
        items = TextItems.load(folder / "train.safetensors").take(slice(request.first, request.last))
        _save(file, all_logits(teacher, items, request.precision))
    return None


def load_search_data(folder: Path, later: Sequence[DataSpan] = ()) -> ClassificationData:
    """Open a complete folder, and those for later steps."""
    folders = [folder, *(Path(span.folder) for span in later)]
    train = TextItems.joined(trains := [TextItems.load(each / "train.safetensors") for each in folders])
    first_rows = accumulate(map(len, trains))
    told = _told(folder)
    kind: Kind = told["kind"]
    shards = [np.load(require_intact(shard)) for each in folders for shard in sorted(each.glob("answers-*.npy"))]
    if sum(map(len, shards)) != len(train):
        raise StorageError(f"{folder} lacks the teacher's answers; the job makes them again when it is resumed")
    return ClassificationData(
        train=train,
        answers=answers_of(torch.from_numpy(np.concatenate(shards)), kind),
        held_out=TextItems.load(folder / "validation.safetensors"),
        held_out_logits=torch.from_numpy(np.load(require_intact(folder / _HELD_OUT))),
        kind=kind,
        threshold=told["threshold"],
        spans=(*ONE_SPAN, *(Span(span.first_step, row) for span, row in zip(later, first_rows, strict=False))),
    )


def _held_out_targets(folder: Path, teacher: PreTrainedModel, precision: Precision) -> TeacherQuality:
    stored = read_quality(folder / _TEACHER)
    if stored is not None and is_intact(folder / _HELD_OUT):
        return stored
    items = TextItems.load(folder / "validation.safetensors")
    repeated = repeated_checks(teacher, lambda rows: all_logits(teacher, items.take(rows)), len(items), precision)
    logits = all_logits(teacher, items).cpu()
    quality = _quality(items, logits, teacher, repeated)
    _save(folder / _HELD_OUT, logits)
    write_intact_json(folder / _TEACHER, asdict(quality))
    return quality


def _quality(
    items: TextItems, logits: torch.Tensor, teacher: PreTrainedModel, repeated: tuple[TeacherCheck, ...]
) -> TeacherQuality:
    kind = kind_of_model(teacher)
    _require_fitting_order(items, logits, teacher, kind)
    found = quality_of_logits(logits, logits, items, kind, threshold_of(teacher.config.problem_type))
    doubt = untrained_head(kind, logits.double().numpy(), _names(teacher))
    guessed = most_frequent_check(kind, found.metrics, items)
    checks = (*([] if guessed is None else [guessed]), *repeated)
    return TeacherQuality(
        entropy_nats=found.loss_nats,
        entropy_stderr_nats=found.loss_stderr_nats,
        metrics=found.metrics,
        num_targets=len(items),
        sequence_entropies_nats=found.sequence_losses_nats,
        doubts=(*([] if doubt is None else [doubt]), *doubts_of(checks)),
        checks=checks,
    )


def _require_fitting_order(items: TextItems, logits: torch.Tensor, teacher: PreTrainedModel, kind: Kind) -> None:
    """Refuse numbers that are another model's ids: heads disagree on the order of their labels."""
    if items.labels is None or kind != "single_label":
        return
    order = fitting_order(items.labels.numpy(), logits.double().numpy())
    if order is not None:
        raise CorpusError(order.text(_names(teacher)))


def _names(teacher: PreTrainedModel) -> tuple[str, ...]:
    names: dict[Any, str] = teacher.config.id2label or {}
    return tuple(str(names[index]) for index in sorted(names))


def _require_held_out(told: dict[str, Any]) -> None:
    count = told.get("validation", {}).get("count", _MIN_HELD_OUT)
    if count < _MIN_HELD_OUT:
        raise CorpusError(f"there are only {count} held-out items; at least {_MIN_HELD_OUT} are needed")


def _told(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(require_intact(folder / _DATA).read_text(encoding="utf8"))
    return content


def _save(file: Path, tensor: torch.Tensor) -> None:
    with intact_file(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, tensor.float().cpu().numpy(), allow_pickle=False)
