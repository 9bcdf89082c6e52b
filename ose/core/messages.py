"""The messages between the coordinator and the workers: plain values, sent as they are."""

from __future__ import annotations

from dataclasses import dataclass

from ose.core.architecture import Architecture
from ose.core.inheritance import InheritanceSpec, Initialization
from ose.core.job import CorpusFacts, FailureReport, TeacherFacts
from ose.core.layer_subsets import SubsetScore
from ose.core.measurement import Evaluation, LatencyMeasurement, LatencyProtocol, TeacherQuality
from ose.core.recipe import Precision
from ose.core.reference import Reference, Targets
from ose.core.spec import CorpusSpec, Hyperparameters


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """Pack the corpus and draw the masks of a search.

    Attributes:
        id: Names the request in events.
        folder: Where the batches go; it is named after everything that decides them.
        num_sequences: Training sequences wanted at most.
        held_out_sequences: Held-out ones; 0 where other data of the search have them.
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
    """How much text a search has.

    Attributes:
        num_dropped: Sequences that were left out because the teacher's vocabulary does not know most of each.
    """

    num_sequences: int
    held_out_sequences: int
    num_dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsRequest:
    """Run the teacher over one shard of the training sequences, or over the held-out ones.

    Attributes:
        folder: The DataRequest's.
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
class CalibrationRequest:
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
class DataSpan:
    """Search data for the steps from some step on, until the next span's."""

    folder: str
    first_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFiles:
    """Where a candidate's weights are kept between its phases. They are a cache: what is missing is trained again.

    Attributes:
        earlier: A file for the end of each earlier phase, in order.
        last: Written when the last phase has ended.
        loss_at_most: Only if the held-out loss is no larger: others are not gone on with.
    """

    earlier: tuple[str, ...]
    last: str
    loss_at_most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """Train one candidate and judge it.

    Attributes:
        id: The trial's id.
        folder: The search data, with the held-out targets.
        calibration: The CalibrationRequest's folder; None if the inheritance needs none.
        earlier_phases: Steps at the end of each phase before the last.
        later_data: What later steps are trained on, if that is not in `folder`.
        checkpoints: Where phases may begin and end; None keeps no weights.
        learns: What it is trained on; it is judged by the teacher's answers either way.
    """

    id: str
    folder: str
    teacher: TeacherFacts
    architecture: Architecture
    hyperparameters: Hyperparameters
    num_steps: int
    initialization: Initialization
    inheritance: InheritanceSpec
    calibration: str | None
    precision: Precision
    seed: int
    weight_clip: float | None
    earlier_phases: tuple[int, ...] = ()
    later_data: tuple[DataSpan, ...] = ()
    checkpoints: CheckpointFiles | None = None
    learns: Targets = "teacher"

    @property
    def phases(self) -> tuple[int, ...]:
        """Steps at the end of each phase."""
        return (*self.earlier_phases, self.num_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRequest:
    """Fit a linear model to the items that a candidate is trained on, judge it, and time it.

    Attributes:
        name: Which one.
        folder: The search data, with the held-out targets.
        later_data: What later steps are trained on, if that is not in `folder`.
        num_steps, batch_size: A candidate's: they decide which items.
        is_pair: Whether an item is two texts.
        protocol: The job's: the length of the text that it is timed on, and threads.
    """

    id: str
    name: str
    folder: str
    teacher: TeacherFacts
    later_data: tuple[DataSpan, ...]
    num_steps: int
    batch_size: int
    learns: Targets
    is_pair: bool
    protocol: LatencyProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSubsetsRequest:
    """Score the subsets of `keep` layers of the teacher, untrained, on the held-out targets.

    Attributes:
        inheritance: How a student of such a subset would start; its layers do not count.
        calibration: The CalibrationRequest's folder; None if the inheritance needs none.
    """

    id: str
    folder: str
    teacher: TeacherFacts
    keep: int
    inheritance: InheritanceSpec
    calibration: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedModel:
    """What a latency is of: an architecture of the teacher's class, with weights of no meaning.

    Attributes:
        is_teacher: It is the teacher's own model instead.
    """

    teacher: TeacherFacts
    architecture: Architecture
    is_teacher: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModelRequest:
    """Build a model that is to be timed, and save it for the runtime that will run it.

    Attributes:
        folder: Where it goes.
        runtime: The runtime's package.
        precision: Of weights and arithmetic.
    """

    id: str
    folder: str
    model: TimedModel
    runtime: str
    precision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModel:
    """A model as its runtime needs it.

    Attributes:
        folder: Where it lies, on the machine that measures or on the one that asks.
        vocab_size: Token ids of the input are below it.
    """

    folder: str
    vocab_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRequest:
    """Have saved models and a reference take turns.

    Attributes:
        reference: What the models are compared with, mostly the teacher.
        models: May be none: then the reference alone is measured.
        inputs: Batch size and tokens of each input that they are timed with.
        protocol: Its device, threads, precision and time; not its batch size and lengths.
    """

    reference: SavedModel
    models: tuple[SavedModel, ...]
    inputs: tuple[tuple[int, int], ...]
    protocol: LatencyProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyReply:
    """What taking turns has found out.

    Attributes:
        reference: One measurement for each input.
        models: Likewise of each model, or why it could not be measured.
    """

    reference: tuple[LatencyMeasurement, ...]
    models: tuple[tuple[LatencyMeasurement, ...] | FailureReport, ...]


Request = (
    DataRequest
    | TargetsRequest
    | CalibrationRequest
    | EvaluationRequest
    | ReferenceRequest
    | LayerSubsetsRequest
    | SavedModelRequest
)
Result = DataSummary | TeacherQuality | Evaluation | Reference | tuple[SubsetScore, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSucceeded:
    """A worker has done a request."""

    request_id: str
    worker: str
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed:
    """A worker could not do a request, or died under it."""

    request_id: str
    worker: str
    failure: FailureReport


Event = RequestSucceeded | RequestFailed
