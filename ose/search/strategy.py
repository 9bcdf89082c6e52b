"""What to evaluate next: strategies behind one ask/tell interface, without Ray and without SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from ose.core.architecture import Architecture
from ose.core.job import TeacherFacts
from ose.core.layers import LayerChoice
from ose.core.search_space import Member
from ose.core.spec import Hyperparameters, JobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A candidate that a strategy wants evaluated.

    Attributes:
        number: 1, 2, ... in the order of proposal.
        layers: Which of the teacher's layers it keeps; None leaves that to the job.
    """

    number: int
    architecture: Architecture
    hyperparameters: Hyperparameters
    num_steps: int
    layers: LayerChoice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a proposal; all None if it failed, or was rejected before training."""

    score: float | None = None
    loss_nats: float | None = None
    latency_p50_ms: float | None = None


class Strategy(Protocol):
    """Chooses candidates.

    A strategy is a deterministic function of what it was told: after a crash a new one is asked and told
    again from the database, and proposes what the old one did.
    """

    def ask(self) -> Sequence[Proposal]:
        """All proposals that may be evaluated now; none if it waits for outcomes, or has finished."""

    def tell(self, number: int, outcome: Outcome) -> None:
        """Report what became of a proposal. Outcomes may come in any order."""


class OseStrategy:
    """The paper's search: every epsilon-th member of the order, with every element of Theta.

    The stride starts at the smallest member. The paper runs Theta outermost; since nothing is told to
    later proposals the result is the same, and this way a job's numbers follow its order of sizes.

    Source:
        arXiv 2010.08512, Algorithm 1.

    Args:
        members: Every epsilon-th of the order.
        theta: How each is trained.
        num_steps: The paper's s.
    """

    def __init__(self, members: Iterable[Member], theta: Sequence[Hyperparameters], num_steps: int) -> None:
        self._proposals = [
            Proposal(
                number=number,
                architecture=member.architecture,
                hyperparameters=hyperparameters,
                num_steps=num_steps,
                layers=member.layers,
            )
            for number, (member, hyperparameters) in enumerate(product(members, theta), start=1)
        ]

    def ask(self) -> Sequence[Proposal]:
        """Everything at once, the first time."""
        proposals, self._proposals = self._proposals, []
        return proposals

    def tell(self, number: int, outcome: Outcome) -> None:
        """Nothing depends on outcomes."""


def build_strategy(spec: JobSpec, teacher: TeacherFacts) -> Strategy:
    """The strategy a job asks for, over its space in the teacher's order."""
    search = spec.search
    num_teacher_layers = teacher.architecture.num_hidden_layers
    visited = spec.space.members(teacher.embedding, num_teacher_layers, stride=search.epsilon)
    return OseStrategy(visited, search.hyperparameters, search.steps)
