"""What is known of a task without running anything: all that submitting a job asks. It loads no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ose.core.masked_positions import num_targets
from ose.data.tables import Row


def _any_rows(config: Mapping[str, Any], train: Sequence[Row], held_out: Sequence[Row]) -> tuple[str, ...]:
    """Of a task that reads nothing of rows but their texts."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRules:
    """The facts of one task.

    Attributes:
        name: As job files, the table of tasks and the families' tables of heads have it: Hugging Face's name, with
            underscores.
        model_kind: What people call such a model, for messages.
        model_classes: What the names of its model classes contain, the usual one first: `ForMaskedLM`.
        head_kind: What people call that head.
        head_prefixes: What the names of the head's weights begin with, in any family.
        unused_parts: Parts of weights' names that the task does not compute with: they are not counted.
        columns: Columns of the corpus that it reads; `corpus.columns` says what files call them.
        pipeline_tag: Hugging Face's tag, for the model card.
        load_line: A line of Python that loads a model of the task from the folder `{folder}`; see `loaded_from`.
        timed_part: What of a student is timed: all of it, or the encoder alone if it is tuned before it serves.
        held_out_items: Items that candidates are judged on where a job does not say how many; fewer if there are fewer.
        learning_rate: Of a search's short trainings, where a job names none.
        num_outputs: From config.json's content, and its place for messages, to the number of the head's outputs. 0 of a
            vocabulary head. Raises TeacherError for a configuration of no such head.
        output_losses: The losses of a recipe that look at its outputs, by their names in `LossWeights`.
        output_weights: Endings of the names that the head's last matrix has, which has a row for each output.
        num_positions: From the tokens of an item to the places where the head is run: one, of a pooled head.
        check_rows: From config.json's content and some training and held-out rows to the teacher's labels that no
            held-out row has. Raises CorpusError for rows that it cannot use, TeacherError for labels that are none.
        references: The reference rows of its searches, by the names in `ose.core.reference`; with any, its `Task` has
            `references`, too.
        recipe: Fields of full distillation as the task has them where a job does not name them: a preset and lengths.
    """

    name: str
    model_kind: str
    model_classes: tuple[str, ...]
    head_kind: str
    head_prefixes: tuple[str, ...]
    unused_parts: tuple[str, ...]
    columns: tuple[str, ...]
    pipeline_tag: str
    load_line: str
    timed_part: Literal["encoder", "model"]
    held_out_items: int
    learning_rate: float
    num_outputs: Callable[[Mapping[str, Any], Path], int]
    output_losses: tuple[str, ...]
    output_weights: tuple[str, ...] = ()
    num_positions: Callable[[int], int] = num_targets
    check_rows: Callable[[Mapping[str, Any], Sequence[Row], Sequence[Row]], tuple[str, ...]] = _any_rows
    references: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=lambda: {"preset": "ose"})

    @property
    def reads_rows(self) -> bool:
        """Whether each row of the corpus is an item of its own; else its texts are documents, which are packed."""
        return self.columns != ("text",)

    def loaded_from(self, folder: object) -> str:
        """The line of Python that loads a model of the task with plain transformers."""
        return self.load_line.format(folder=json.dumps(str(folder), ensure_ascii=False))

    def suits(self, class_name: str) -> bool:
        """Whether models of this class do the task; an empty name says nothing either way."""
        return not class_name or any(part in class_name for part in self.model_classes)
