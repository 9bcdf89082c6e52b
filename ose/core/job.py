"""Jobs, candidates, trials and distillations: their states and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ose.core.access import Owner
from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.inheritance import InheritanceSpec
from ose.core.layer_choice import LayerChoice
from ose.core.measurement import Evaluation, LabelFlips, LatencyMeasurement, Metric, TeacherQuality
from ose.core.recipe import DistillationSpec
from ose.core.spec import Hyperparameters, JobSpec


class JobStatus(StrEnum):
    """States of a job. The last three are final, but a failed or cancelled job can be resumed."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether no coordinator will touch the job by itself."""
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)


class CandidateStatus(StrEnum):
    """States of a candidate.

    REJECTED means that a limit of the job excludes it. SUPERSEDED means that a candidate that went on with it has
    taken its place: its measurements stay, but it is no longer ranked or listed.
    """

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"

    @property
    def is_terminal(self) -> bool:
        """Whether the candidate needs no further trial."""
        return self not in (CandidateStatus.PENDING, CandidateStatus.RUNNING)


class TrialStatus(StrEnum):
    """States of one attempt. INTERRUPTED means that its coordinator died, which is no failed attempt."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"


class DistillationStatus(StrEnum):
    """States of a full distillation. PENDING waits for a coordinator."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def is_terminal(self) -> bool:
        """Whether it has come to an end."""
        return self in (DistillationStatus.SUCCEEDED, DistillationStatus.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherFacts:
    """What is known of a teacher without running it.

    Attributes:
        path: The directory it is loaded from.
        digest: SHA-256 over its configuration, weights and tokenizer.
        model_type: Hugging Face's name of its family.
        architecture: Its own sizes; its family is that of its students.
        embedding: Its vocabulary and positions.
        max_sequence_length: Longest input it takes.
        num_parameters: Of the whole masked language model.
        num_encoder_parameters: Of its layers alone.
        can_be_inherited: Whether students can start from its weights.
        task: What it does, and its students with it.
    """

    path: str
    digest: str
    model_type: str
    architecture: Architecture
    embedding: EmbeddingShape
    max_sequence_length: int
    num_parameters: int
    num_encoder_parameters: int
    can_be_inherited: bool
    task: str = "fill_mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFacts:
    """What the items of a corpus are like whose rows are items: seen of as many as are read when a job is submitted.

    Attributes:
        num_rows: Rows that were read of either side.
        num_bad: Those of them that cannot be used, and are left out.
        mean_tokens: Of a training item in the teacher's tokens, as far as it is not cut; None of this and the next two
            where they cannot be counted without the teacher's own code.
        median_tokens: Of the held-out items.
        p95_tokens: Of the held-out items, their 95th percentile.
        train_cut_share: Of the training items, those that are longer than a sequence and are cut.
        held_out_cut_share: Of the held-out items.
        overlap_share: Of the held-out items, those whose texts also stand in training; None where none can.
        unseen_labels: The teacher's labels that no held-out item has.
    """

    num_rows: int
    num_bad: int
    mean_tokens: float | None
    median_tokens: int | None
    p95_tokens: int | None
    train_cut_share: float | None
    held_out_cut_share: float | None
    overlap_share: float | None
    unseen_labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFacts:
    """What the texts of a corpus are like: seen of as many as are read when a job is submitted.

    Attributes:
        num_read: Records that were read of either side.
        num_without_text: Those of them whose text is null or blank, and that are left out.
        tokens_per_word: Of the training text, by the teacher's tokenizer; None of this and the next two where it cannot
            be run without the teacher's own code.
        unknown_share: Of these tokens, those that the vocabulary does not know.
        piece_share: Of these tokens, single characters and bytes that are no words of their own.
        overlap_share: Of the held-out texts, those that stand in the training text as they are.
        levelled_overlap_share: The same with case and blanks levelled.
        num_compared: Training texts that were looked through for that.
    """

    num_read: int
    num_without_text: int
    tokens_per_word: float | None
    unknown_share: float | None
    piece_share: float | None
    overlap_share: float
    levelled_overlap_share: float
    num_compared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFacts:
    """The text as it was when the job was submitted.

    Attributes:
        train: Absolute paths of the training files, or one `datasets` id.
        validation: Likewise; empty when documents of `train` are held out.
        digest: SHA-256 over the files' contents.
        size_bytes: Of all files.
        root: Folder that no file may lead out of, also when it is read again; None if any file may be named.
        tables: Whether there are CSV or TSV files that are read by their columns. Jobs of versions that did not know
            them read each of their lines as a document, and go on doing so.
        items: What its rows are like, where each is an item; None of documents.
        general: Likewise of the text without labels.
        left_out: Files that were named, too, and hold no text.
        texts: What its texts are like; None of jobs of versions that did not look.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    digest: str
    size_bytes: int
    root: str | None = None
    tables: bool = False
    items: ItemFacts | None = None
    general: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    texts: TextFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureReport:
    """Why something failed, as it is stored and shown."""

    code: str
    message: str
    traceback: str = ""
    is_retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail:
    """Why something failed, as far as everybody may know.

    Attributes:
        code: Stable, for programs.
        message: One line, for people.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A submitted job. `spec`, `teacher`, `corpus` and `owner` never change.

    Attributes:
        owner: The token that it was submitted with; None if it was submitted on the machine itself.
        space_size: Members of its space; None of jobs from before this was stored.
        num_claims: Times that it was claimed from the queue since it last got on, or somebody asked for it.
        num_recorded: How much there was of it when that was last looked at; it never falls.
    """

    id: str
    status: JobStatus
    spec: JobSpec
    spec_hash: str
    teacher: TeacherFacts
    corpus: CorpusFacts
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: FailureReport | None = None
    teacher_quality: TeacherQuality | None = None
    teacher_latency: LatencyMeasurement | None = None
    lease_owner: str | None = None
    lease_expires_at: datetime | None = None
    owner: Owner | None = None
    space_size: int | None = None
    num_claims: int = 0
    num_recorded: int = 0

    @property
    def name(self) -> str:
        """The name people gave it."""
        return self.spec.name


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableJob:
    """A job whose row another version, or a hand, has written in a way that this one cannot read.

    Attributes:
        reason: Where reading it stumbles, in one line.
    """

    id: str
    name: str
    created_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An architecture, with the hyperparameters to train it, inside a job.

    Attributes:
        number: 1, 2, ... in the job's order; what people call it.
        num_steps: Training steps in all.
        earlier_phases: Steps at the end of each phase of its training before the last; empty if it has one.
        continues: The number of the candidate that was trained the earlier phases, and whose place it takes.
        layers: Which of the teacher's layers it is to keep; None leaves that to the job.
        rejection: Which limit excludes it, with both figures.
        evaluation: The scored trial's.
    """

    id: int
    job_id: str
    number: int
    status: CandidateStatus
    architecture: Architecture
    hyperparameters: Hyperparameters
    num_steps: int
    num_parameters: int
    num_encoder_parameters: int
    flops: int
    layers: LayerChoice | None = None
    earlier_phases: tuple[int, ...] = ()
    continues: int | None = None
    num_attempts: int = 0
    latency: LatencyMeasurement | None = None
    evaluation: Evaluation | None = None
    score: float | None = None
    score_stderr: float | None = None
    rejection: str | None = None
    failure: FailureReport | None = None

    @property
    def phases(self) -> tuple[int, ...]:
        """Steps at the end of each phase."""
        return (*self.earlier_phases, self.num_steps)

    @property
    def label(self) -> str:
        """What tells it apart from others, for people."""
        return str(self.architecture) if self.layers is None else f"{self.architecture} of {layers_text(self.layers)}"


def inheritance_of(job: Job, candidate: Candidate, layers: LayerChoice | None = None) -> InheritanceSpec:
    """What a candidate keeps of its teacher: of `layers`, the candidate's own choice and the job's, the first given."""
    asked = job.spec.search.inheritance
    chosen = next((choice for choice in (layers, candidate.layers) if choice is not None), asked.layers)
    return replace(asked, layers=chosen)


def layers_text(layers: LayerChoice) -> str:
    """A choice of layers in few characters: `top`, or `0,2,5`."""
    return layers if isinstance(layers, str) else ",".join(map(str, layers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One attempt to evaluate a candidate."""

    id: str
    candidate_id: int
    attempt: int
    status: TrialStatus
    worker: str
    started_at: datetime
    finished_at: datetime | None = None
    failure: FailureReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationResult:
    """The distilled student beside its teacher, on the same held-out targets.

    Attributes:
        student_path: Directory of the student's weights.
        num_steps: Steps done in all.
        loss_nats: Cross-entropy to the teacher at held-out masked positions.
        loss_stderr_nats: Its standard error over sequences.
        metrics: What else its task says of it, by name; the teacher has the same ones.
        wall_time_s: Of all sessions together.
        sequence_losses_nats: The loss of each held-out sequence, in order: distillations of one job can be
            compared in pairs. Empty in results of older versions.
        flips: Of a task whose answers are labels, what becomes of each that the teacher gives.
    """

    student_path: str
    num_steps: int
    loss_nats: float
    loss_stderr_nats: float
    metrics: Mapping[str, Metric]
    wall_time_s: float
    sequence_losses_nats: tuple[float, ...] = ()
    flips: tuple[LabelFlips, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """A full distillation of one candidate.

    Attributes:
        num_claims: Times that it was claimed from the queue since it last got on, or was asked for.
        num_recorded: The step of its newest checkpoint when that was last looked at; it never falls.
    """

    id: int
    job_id: str
    candidate_number: int
    status: DistillationStatus
    spec: DistillationSpec
    folder: str
    created_at: datetime
    finished_at: datetime | None = None
    result: DistillationResult | None = None
    failure: FailureReport | None = None
    num_claims: int = 0
    num_recorded: int = 0
