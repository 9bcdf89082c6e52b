"""What to evaluate next: strategies behind one ask/tell interface, without Ray and without SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ose.core.architecture import Architecture
from ose.core.layer_choice import LayerChoice
from ose.core.search_space import Member
from ose.core.significance import Judged
from ose.core.spec import Hyperparameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A candidate that a strategy wants evaluated.

    Attributes:
        number: 1, 2, ... in the order of proposal.
        num_steps: Steps in all.
        layers: Which of the teacher's layers it keeps; None leaves that to the job.
        earlier_phases: Steps at the end of each phase before the last; empty if it is trained in one go. Every phase
            has a warm-up and a decay of its own, so the result depends on them.
        continues: The number of the proposal that was trained the earlier phases, whose place it takes.
    """

    number: int
    architecture: Architecture
    hyperparameters: Hyperparameters
    num_steps: int
    layers: LayerChoice | None = None
    earlier_phases: tuple[int, ...] = ()
    continues: int | None = None

    @property
    def phases(self) -> tuple[int, ...]:
        """Steps at the end of each phase."""
        return (*self.earlier_phases, self.num_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a proposal. What was not measured is None: of one that failed, all but parameters and latency.

    Attributes:
        has_passed: It was trained, and is within every limit.
        num_parameters: Of the whole masked language model.
        latency_p50_ms: Known of everything that was trained, and of what is too slow.
        loss_nats: On the held-out targets; also of one that was rejected for it.
        loss_stderr_nats: Its standard error over sequences.
        score: Under the job's rule.
        judged: What it is compared with others by.
    """

    has_passed: bool = False
    num_parameters: int | None = None
    latency_p50_ms: float | None = None
    loss_nats: float | None = None
    loss_stderr_nats: float | None = None
    score: float | None = None
    judged: Judged | None = None

    @property
    def sort_key(self) -> tuple[bool, float] | None:
        """What outcomes are ordered by, the greatest best: by score what has passed, then the rest by loss.

        A limit on loss excludes a candidate from the result, but not from being trained further, which may bring it
        within the limit. None if nothing was trained.
        """
        if self.loss_nats is None or self.score is None:
            return None
        return (True, self.score) if self.has_passed else (False, -self.loss_nats)


class Strategy(Protocol):
    """Chooses candidates.

    A strategy is a deterministic function of what it was told: after a crash a new one is asked and told
    again from the database, and proposes what the old one did.
    """

    def ask(self) -> Sequence[Proposal]:
        """All proposals that may be evaluated now; none if it waits for outcomes, or has finished."""

    def tell(self, number: int, outcome: Outcome) -> None:
        """Report what became of a proposal. Outcomes may come in any order."""


class OneWave:
    """Proposes everything at once, whatever comes of it.

    Args:
        proposals: In order.
    """

    def __init__(self, proposals: Sequence[Proposal]) -> None:
        self._proposals = proposals

    def ask(self) -> Sequence[Proposal]:
        """Everything, the first time."""
        proposals, self._proposals = self._proposals, []
        return proposals

    def tell(self, number: int, outcome: Outcome) -> None:
        """Nothing depends on outcomes."""


def proposals_of(trainings: Iterable[tuple[Member, Hyperparameters]], num_steps: int) -> list[Proposal]:
    """Members with how each is trained, for so many steps; numbered in the order given."""
    return [
        Proposal(
            number=number,
            architecture=member.architecture,
            hyperparameters=hyperparameters,
            num_steps=num_steps,
            layers=member.layers,
        )
        for number, (member, hyperparameters) in enumerate(trainings, start=1)
    ]
