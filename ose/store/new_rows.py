"""What is stored first of a job and of a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ose.core.architecture import Architecture
from ose.core.job import CorpusFacts, TeacherFacts
from ose.core.layer_choice import LayerChoice
from ose.core.score import Score
from ose.core.spec import Hyperparameters, JobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as it is submitted.

    Attributes:
        owner: The id of the token that it is submitted with; None for this machine itself.
    """

    id: str
    spec: JobSpec
    spec_hash: str
    teacher: TeacherFacts
    corpus: CorpusFacts
    created_at: datetime
    owner: str | None = None
    space_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCandidate:
    """A candidate as the strategy proposes it."""

    number: int
    architecture: Architecture
    hyperparameters: Hyperparameters
    num_steps: int
    num_parameters: int
    num_encoder_parameters: int
    flops: int
    layers: LayerChoice | None = None
    earlier_phases: tuple[int, ...] = ()
    continues: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLatency:
    """A latency that takes the place of another one, and the score that follows.

    Attributes:
        latency_id: None leaves the latency as it is.
        score: None leaves the score as it is.
    """

    candidate_id: int
    latency_id: int | None
    score: Score | None
