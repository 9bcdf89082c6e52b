"""How much is searched, distilled and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ose.core.spec import Columns

Axes = Mapping[str, list[int]]
"""A search space, as a job file has it."""

CHOICE = "choice"
RIVALS = ("half depth, DistilBERT's layers", "half depth, best layers", "narrow and deep", "wide and shallow")
STUDENTS = (CHOICE, *RIVALS)


def axes(depths: list[int], heads: list[int], widths: list[int], inner: list[int]) -> Axes:
    """As a job file names them."""
    return {
        "num_hidden_layers": depths,
        "num_attention_heads": heads,
        "hidden_size": widths,
        "intermediate_size": inner,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSizes:
    """A task: its columns, its teacher, and what is made of it.

    Attributes:
        columns: Of its CSV files.
        epochs: Of the teacher.
        learning_rate: Of the teacher.
        sequence_length: Tokens an item at most.
        space: What is searched.
        targets: Shares of the teacher's latency, by name, at which the choice is held against students picked by hand.
        aims: Others, at which the choice is distilled alone.
        groups: The column whose rows count as one item for errors, if the validation part has one.
        mean_tokens: Of a training item, for the plan.
    """

    columns: Columns
    epochs: float
    learning_rate: float
    sequence_length: int
    space: Axes
    targets: Mapping[str, float] = field(default_factory=dict)
    aims: Mapping[str, float] = field(default_factory=dict)
    groups: str | None = None
    mean_tokens: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySizes:
    """The whole.

    Attributes:
        tasks: By name, the first ones first.
        steps: Of a candidate in a search.
        few_steps: Of one whose order is held against that, and against full distillation.
        distillation_steps: Of a student.
        longer_steps: Of one student, for what more steps add.
        seeds: Of each student.
        held_out_items: That candidates are judged on.
        order_task: Whose order is held against full distillation, and on which the two searches are compared.
        order_space: The shapes of both; they are members of the task's own space.
        order_target: At which both searches choose.
        latency_tokens: At which latencies are told, beside the median length.
        rounds: Turns of a model in a measurement of latencies.
        language_length: Tokens of the language model's sequences.
        language_held_out: Sequences that its candidates are judged on.
        width_step: Widths of students picked by hand are multiples of it.
        as_is: Teachers are taken whatever their answers look like.
    """

    tasks: Mapping[str, TaskSizes]
    steps: int = 100
    few_steps: int = 30
    distillation_steps: int = 3_000
    longer_steps: int = 9_000
    seeds: int = 3
    held_out_items: int = 2_000
    order_task: str = "clinc150"
    order_space: Axes
    order_target: str = "quarter"
    latency_tokens: int = 128
    rounds: int = 9
    language_length: int = 128
    language_held_out: int = 128
    width_step: int = 24
    as_is: bool = False


_WIDE = axes([1, 2, 3, 4, 5, 6], [6, 12], [96, 144, 192, 288, 384], [192, 384, 768, 1536])

FULL = StudySizes(
    tasks={
        "clinc150": TaskSizes(
            columns=Columns(text="text", label="intent"),
            epochs=10,
            learning_rate=2e-4,
            sequence_length=64,
            space=_WIDE,
            targets={"quarter": 1 / 4},
            aims={"eighth": 1 / 8},
        ),
        "sst2": TaskSizes(
            columns=Columns(text="sentence", label="label"),
            epochs=2,
            learning_rate=1e-4,
            sequence_length=128,
            space=_WIDE,
            targets={"quarter": 1 / 4, "half": 1 / 2},
            aims={"twelfth": 1 / 12},
            groups="sentence_id",
        ),
        "stsb": TaskSizes(
            columns=Columns(text="sentence1", text_pair="sentence2", label="score"),
            epochs=5,
            learning_rate=1e-4,
            sequence_length=128,
            space=axes([1, 2, 3, 4, 6], [12], [96, 192, 384], [384, 1536]),
            mean_tokens=34,
        ),
    },
    order_space=axes([1, 2, 3, 6], [12], [96, 192, 384], [384, 1536]),
)
"""The cheapest task first."""
