"""How far to trust a leaderboard, read from what its leaders were judged on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ose.core.job import Candidate, Job
from ose.core.objectives import judged, scale_of
from ose.core.significance import Scale
from ose.core.trust import Distance, Leader, Trust, compare_leaders
from ose.leaderboard.ranking import Ranking
from ose.store.base import Store
from ose.store.pages import RowMeasures

_NUM_KEPT = 64
"""Comparisons that are remembered: of so many jobs or rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The leaders of a board among each other.

    Attributes:
        trust: What can be said of their order; None if there is too little to say anything.
        distances: Of each leader from the best one, by number. All others have none.
    """

    trust: Trust | None = None
    distances: Mapping[int, Distance] = field(default_factory=dict)


NO_COMPARISON = Comparison()


def read_comparison(store: Store, job: Job, ranking: Ranking) -> Comparison:
    """Compare a job's leaders sequence by sequence.

    The raw losses of these few are read, and of no others. What came of it is kept for as long as the leaders' figures
    stay what they are, because every page of a leaderboard asks for it.
    """
    if ranking.teacher is None or not ranking.leaders:
        return NO_COMPARISON
    # Students of random weights first learn what all learn alike: their curves cross again and again.
    has_telling_curves = job.spec.search.initialization == "inherit"
    scale = scale_of(job, ranking.rule)
    return _compared(store, job.id, scale, ranking.leaders, has_telling_curves)  # type: ignore[arg-type] # it is hashable


@lru_cache(maxsize=_NUM_KEPT)
def _compared(
    store: Store,
    job_id: str,
    scale: Scale,
    leaders: tuple[RowMeasures, ...],
    has_telling_curves: bool,
) -> Comparison:
    numbers = [each.number for each in leaders]
    candidates = sorted(store.candidates(job_id, numbers), key=lambda candidate: numbers.index(candidate.number))
    known = [_leader(candidate, scale, has_telling_curves=has_telling_curves) for candidate in candidates]
    found = compare_leaders(_of_equal_steps([each for each in known if each is not None]))
    return NO_COMPARISON if found is None else Comparison(trust=found[0], distances=found[1])


def _of_equal_steps(leaders: list[Leader]) -> list[Leader]:
    """Those that were trained for as many steps as the best one: losses after others are no figures of one thing."""
    return [each for each in leaders if each.phases[-1] == leaders[0].phases[-1]]


def hint(job_id: str, trust: Trust, command: str = "ose") -> str | None:
    """What to do where more steps may change the choice; None where nothing speaks for that."""
    if trust.extend_to_steps is None:
        return None
    reasons = []
    if trust.num_not_apart > 1:
        reasons.append(f"{trust.num_not_apart} candidates do not differ at {trust.num_steps} steps")
    if trust.num_gaining:
        reasons.append(f"{trust.num_gaining} may pass the best one, by their learning curves")
    return f"{', '.join(reasons)}: {command} job extend {job_id} --steps {trust.extend_to_steps}"


def _leader(candidate: Candidate, scale: Scale, *, has_telling_curves: bool) -> Leader | None:
    """None if it has been put back to be trained since it was ranked."""
    found = judged(candidate, scale)
    if found is None or candidate.evaluation is None:
        return None
    return Leader(
        number=candidate.number,
        judged=found,
        phases=candidate.phases,
        hyperparameters=candidate.hyperparameters,
        training_losses_nats=candidate.evaluation.training_losses_nats if has_telling_curves else (),
    )
