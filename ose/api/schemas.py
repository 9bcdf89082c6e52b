"""The shapes of answers, for the OpenAPI document. The answers themselves are written as the command line does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from ose.core.access import Owner, Token
from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.cost import Pace, StageTimes, Work
from ose.core.exports import ExportFile
from ose.core.job import CandidateStatus, CorpusFacts, DistillationStatus, ErrorDetail, JobStatus, TeacherFacts
from ose.core.layer_choice import LayerChoice
from ose.core.measurement import LabelFlips, Metric
from ose.core.recipe import DistillationSpec
from ose.core.spec import JobSpec


class JobDocument(BaseModel):
    """A job.

    Attributes:
        id: Eight hexadecimal digits; where one is asked for, its beginning is enough.
        name: What it was called when it was submitted.
        status: FAILED and CANCELLED can be resumed.
        owner: The token that it was submitted with; null of this machine.
        candidates: How many there are, by status.
        space_size: Members of its search space; null where counting them would take long.
        created_at: When it was submitted.
        started_at: When a coordinator first took it.
        finished_at: When it ended.
        error: Why it failed.
        spec: What was asked for, with every default.
        spec_hash: SHA-256 of the spec: equal for equal requests.
        teacher: What is known of the teacher without running it.
        corpus: The text as it was when the job was submitted.
        notes: What to know of teacher and text before the job runs, a line each.
    """

    id: str
    name: str
    status: JobStatus
    owner: Owner | None
    candidates: dict[CandidateStatus, int]
    space_size: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorDetail | None
    spec: JobSpec
    spec_hash: str
    teacher: TeacherFacts
    corpus: CorpusFacts
    notes: list[str]


class UnreadableJobDocument(BaseModel):
    """A job whose row the server cannot read: what is not known is null, and the error says why.

    Attributes:
        id: The job's.
        name: The job's, as far as it can be read.
        status: In the place of the job's own.
        owner: Not known.
        candidates: How many there are, by status.
        space_size: Not known.
        created_at: When it was submitted, if that can be read.
        started_at: Not known.
        finished_at: Not known.
        error: Where reading it stumbles.
        spec: Not known.
        spec_hash: Not known.
        teacher: Not known.
        corpus: Not known.
        notes: Not known.
    """

    id: str
    name: str
    status: Literal["UNREADABLE"]
    owner: None
    candidates: dict[CandidateStatus, int]
    space_size: None
    created_at: datetime | None
    started_at: None
    finished_at: None
    error: ErrorDetail
    spec: None
    spec_hash: None
    teacher: None
    corpus: None
    notes: None


class JobPage(BaseModel):
    """Some jobs, newest first.

    Attributes:
        jobs: At most as many as were asked for.
        next: The `after` of the next page; null when these were the last.
    """

    jobs: list[JobDocument | UnreadableJobDocument]
    next: str | None


class CostDocument(BaseModel):
    """What a job was expected to cost, and what it cost; null where nothing is known to tell it by, or not yet.

    Attributes:
        work: What it has to do that no earlier job did.
        pace: That of the newest job like it.
        expected: The times at that pace.
        taken: The times that it took.
        error: Time taken over time expected, minus one.
    """

    work: Work
    pace: Pace | None
    expected: StageTimes | None
    taken: StageTimes | None
    error: float | None


class DistillationResultDocument(BaseModel):
    """A distilled student beside its teacher, on the same held-out targets.

    Attributes:
        num_steps: Steps done in all.
        loss_nats: Cross-entropy to the teacher at held-out masked positions.
        loss_stderr_nats: Its standard error over sequences.
        metrics: What else the task says of its quality, by name.
        masked_lm_loss_nats, masked_accuracy, masked_accuracy_stderr: As in `metrics`. They go with the next version.
        wall_time_s: Of all sessions together.
        sequence_losses_nats: The loss of each held-out sequence, in order. Empty in results of earlier versions.
        flips: Of a task whose answers are labels, what becomes of the items to which the teacher gives each of them.
    """

    num_steps: int
    loss_nats: float
    loss_stderr_nats: float | None
    metrics: dict[str, Metric]
    masked_lm_loss_nats: float | None
    masked_accuracy: float | None
    masked_accuracy_stderr: float | None
    wall_time_s: float
    sequence_losses_nats: tuple[float, ...]
    flips: tuple[LabelFlips, ...]


class DistillationDocument(BaseModel):
    """A full distillation.

    Attributes:
        id: Its number, among those of all jobs.
        job: The id of its job.
        candidate: The number of the candidate that is distilled.
        status: PENDING waits for a coordinator.
        created_at: When it was asked for.
        finished_at: When it ended.
        spec: The recipe, with every default.
        result: What came out, once it has succeeded.
        error: Why it failed.
    """

    id: int
    job: str
    candidate: int
    status: DistillationStatus
    created_at: datetime
    finished_at: datetime | None
    spec: DistillationSpec
    result: DistillationResultDocument | None
    error: ErrorDetail | None


class ExportDocument(BaseModel):
    """An exported student.

    Attributes:
        id: Also the number of the distillation that it came from.
        job: The id of its job.
        candidate: The number of the candidate.
        architecture: The student's.
        size_bytes: Of all files.
        max_logit_difference: Between the student and the export, loaded back by `transformers` alone.
        created_at: When it was written.
        files: What can be downloaded.
    """

    id: int
    job: str
    candidate: int
    architecture: Architecture
    size_bytes: int
    max_logit_difference: float
    created_at: datetime
    files: list[ExportFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTokenDocument(Token):
    """A token that was just made.

    Attributes:
        token: The whole, which is shown this once.
    """

    token: str


class SpaceSummary(BaseModel):
    """A search space in a line.

    Attributes:
        name: What a job calls it by.
        size: Members.
        description: For people.
    """

    name: str
    size: int
    description: str


class MemberDocument(BaseModel):
    """A member of a search space.

    Attributes:
        number: Its place in the order in which a search visits them, from 1.
        architecture: Its four numbers.
        layers: The teacher's layers that it keeps; null where the space leaves that to the job.
        num_parameters: Of the whole masked language model, tied weights once.
        num_encoder_parameters: Of its layers alone.
        flops: Operations of the encoder on one input.
    """

    number: int
    architecture: Architecture
    layers: LayerChoice | None
    num_parameters: int
    num_encoder_parameters: int
    flops: int


class SpaceDocument(BaseModel):
    """A search space with a page of its members.

    Attributes:
        name: What a job calls it by.
        num_hidden_layers: Values of D.
        num_attention_heads: Values of A.
        hidden_size: Values of H.
        intermediate_size: Values of I.
        layers: Rules and lists of the teacher's layers to keep; empty leaves the choice to the job.
        embedding: The embedding table that members are counted with; without one there are none here.
        family: How students are built.
        description: For people.
        size: Members.
        members: A page of them, in the order in which a search visits them.
        next: The `after` of the next page; null when these were the last.
    """

    name: str
    num_hidden_layers: tuple[int, ...]
    num_attention_heads: tuple[int, ...]
    hidden_size: tuple[int, ...]
    intermediate_size: tuple[int, ...]
    layers: tuple[LayerChoice, ...]
    embedding: EmbeddingShape | None
    family: str
    description: str
    size: int
    members: list[MemberDocument]
    next: int | None


class HealthDocument(BaseModel):
    """The process answers.

    Attributes:
        status: Always the same.
    """

    status: Literal["ok"]


class ReadyDocument(BaseModel):
    """The server can work.

    Attributes:
        status: Always the same; a server that is not ready answers with a problem.
        revision: Of the database's tables.
    """

    status: Literal["ready"]
    revision: str
