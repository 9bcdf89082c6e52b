"""The messages between the coordinator and whoever does the work: plain values, sent as they are."""

from __future__ import annotations

from dataclasses import dataclass

from ose.core.architecture import Architecture
from ose.core.inheritance import InheritanceSpec, Initialization
from ose.core.job import CorpusFacts, FailureReport, TeacherFacts
from ose.core.layer_subsets import SubsetScore
from ose.core.measurement import Evaluation, LatencyProtocol, TeacherQuality
from ose.core.recipe import Precision
from ose.core.spec import CorpusSpec, Hyperparameters


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTask:
    """Pack the corpus and draw the masks of a search.

    Attributes:
        id: Names the task in events.
        folder: Where the batches go; it is named after everything that decides them.
        num_sequences: Training sequences wanted at most.
    """

    id: str
    folder: str
    teacher: TeacherFacts
    corpus: CorpusFacts
    corpus_spec: CorpusSpec
    num_sequences: int
    held_out_sequences: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSummary:
    """How much text a search has."""

    num_sequences: int
    held_out_sequences: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsTask:
    """Run the teacher over one shard of the training sequences, or over the held-out ones.

    Attributes:
        folder: The DataTask's.
        shard: Index of the shard; None means the held-out sequences.
        first, last: The shard's sequences, half-open.
        precision: Of the teacher's arithmetic on training sequences; the held-out ones are judged in float32.
    """

    id: str
    folder: str
    teacher: TeacherFacts
    shard: int | None
    first: int
    last: int
    seed: int
    precision: Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyTask:
    """Measure on a sample of the corpus what students may keep of the teacher.

    Attributes:
        folder: Where it goes; it is named after everything that decides it.
        num_sequences: Size of the sample.
        eliminates_layers: Also find out in which order layers can be left out. It takes longer than all the rest.
    """

    id: str
    folder: str
    teacher: TeacherFacts
    corpus: CorpusFacts
    corpus_spec: CorpusSpec
    num_sequences: int
    eliminates_layers: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateTask:
    """Train one candidate and judge it.

    Attributes:
        id: The trial's id.
        anatomy: The AnatomyTask's folder; None if the inheritance needs none.
    """

    id: str
    folder: str
    teacher: TeacherFacts
    architecture: Architecture
    hyperparameters: Hyperparameters
    num_steps: int
    initialization: Initialization
    inheritance: InheritanceSpec
    anatomy: str | None
    precision: Precision
    seed: int
    weight_clip: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSubsetsTask:
    """Score the subsets of `keep` layers of the teacher, untrained, on the held-out targets.

    Attributes:
        inheritance: How a student of such a subset would start; its layers do not count.
        anatomy: The AnatomyTask's folder; None if the inheritance needs none.
    """

    id: str
    folder: str
    teacher: TeacherFacts
    keep: int
    inheritance: InheritanceSpec
    anatomy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTask:
    """Measure one architecture of the teacher's class, with random weights: latency does not depend on them.

    Attributes:
        is_teacher: Measure the teacher's own model instead.
    """

    teacher: TeacherFacts
    architecture: Architecture
    protocol: LatencyProtocol
    is_teacher: bool = False


Task = DataTask | TargetsTask | AnatomyTask | EvaluateTask | LayerSubsetsTask
TaskResult = DataSummary | TeacherQuality | Evaluation | tuple[SubsetScore, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSucceeded:
    """A worker has done a task."""

    task_id: str
    worker: str
    result: TaskResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """A worker could not do a task, or died under it."""

    task_id: str
    worker: str
    failure: FailureReport


Event = TaskSucceeded | TaskFailed
