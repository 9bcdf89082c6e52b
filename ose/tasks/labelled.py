"""A task whose rows may say what is right, so that a model can be trained on that, without a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ose.core.finetuning import FinetuningRequest, ProblemType
from ose.core.measurement import Metric
from ose.data.epochs import BatchOrder
from ose.tasks.base import Batch, StepBatches, Task
from ose.tasks.registry import load_task, require_labels

Head = Any
"""What a model's outputs are to be; only the task that made it looks inside."""

Items = Any
"""Encoded items with their labels, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledData:
    """Both parts of a labelled corpus, encoded for one model.

    Attributes:
        head: The outputs that the labels are told in.
        is_new_head: Whether the model has another one, or none.
        problem_type: What they mean.
        labels: Their names by id; empty of one number.
        train, validation: The items.
        num_train, num_validation: How many.
        share_cut: Of all items, those that were longer than the sequence length.
        overlap_share: Of the validation items, those whose text also stands in the training part.
        labels_without_example: Labels that no training item has.
    """

    head: Head
    is_new_head: bool
    problem_type: ProblemType
    labels: tuple[str, ...]
    train: Items
    validation: Items
    num_train: int
    num_validation: int
    share_cut: float
    overlap_share: float
    labels_without_example: tuple[str, ...]


class LabelledTask(Task, Protocol):
    """What fine-tuning asks of a task."""

    def labelled_data(self, request: FinetuningRequest, tokenizer: PreTrainedTokenizerBase) -> LabelledData:
        """Read and encode both parts of a corpus, and find out which head its labels take.

        Args:
            request: The model, the corpus, and what is asked of the head.
            tokenizer: The model's.

        Raises:
            CorpusError: A row cannot be used, a label is unknown, or there are too few.
            TeacherError: The model's configuration cannot be loaded.
        """

    def trainable_model(self, path: str | Path, data: LabelledData, seed: int) -> PreTrainedModel:
        """Load a model in float32, to be trained; a new head is drawn from the seed.

        Raises:
            TeacherError: There is none that can have this head.
        """

    def label_batches(self, items: Items, spec: BatchOrder) -> StepBatches:
        """The micro-batches of each step, a function of seed and step."""

    def label_loss(self, model: PreTrainedModel, batch: Batch) -> torch.Tensor:
        """Mean loss of a micro-batch against its labels."""

    def label_metrics(self, model: PreTrainedModel, items: Items) -> Mapping[str, Metric]:
        """Metrics of a model by labels, the headline first, of which more is better.

        Raises:
            NonFiniteLossError: The model has diverged.
        """


def load_labelled_task(name: str) -> LabelledTask:
    """The task, whose models can be trained on labels.

    Raises:
        InvalidInputError: There is no such task, or its rows have no labels.
    """
    require_labels(name)
    return cast(LabelledTask, load_task(name))
