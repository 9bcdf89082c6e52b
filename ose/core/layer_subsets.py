"""Subsets of a teacher's layers, and which of them are worth a look."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, get_args

from ose.core.bounds import DEPTH, STEPS, Bounds, require_bounds
from ose.core.layer_choice import MEASURED_RULES, LayerRule, kept_layers

Subset = tuple[int, ...]
"""Layers of the teacher, ascending, counted from 0."""

MAX_SUBSETS = 500
"""As many subsets are scored one and all (of 12 layers: every 3 or 4, not every 6); of more, a beam is followed."""

BEAM_WIDTH = 8
"""Subsets of each size whose further reductions are looked at. One would be greedy; eight cost eight times as much,
and of 12 layers still only some 300 scores for 6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerQuestion:
    """How layers are to be compared.

    Attributes:
        keep: D, the number of layers to keep.
        steps: Training steps of each subset that is trained; None takes the job's.
        top: Train so many of those with the best zero-shot loss, and in any case what the rules keep.
    """

    keep: Annotated[int, DEPTH]
    steps: Annotated[int | None, STEPS] = None
    top: Annotated[int, Bounds(1, 1_000)] = 6

    def __post_init__(self) -> None:
        require_bounds(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetScore:
    """The teacher cut down to some of its layers, untrained.

    Attributes:
        layers: The subset.
        loss_nats: Cross-entropy to the whole teacher at held-out masked positions.
        loss_stderr_nats: Its standard error over sequences.
        rules: Which rules keep it.
        is_refitted: Whether the layers were refitted to do without the others, as a student's are when it starts.
            Scores of both kinds do not compare.
    """

    layers: Subset
    loss_nats: float
    loss_stderr_nats: float
    rules: tuple[LayerRule, ...] = ()
    is_refitted: bool = False


MAX_REFITTED = 24
"""So many subsets are refitted: the best by their plain scores, which costs seconds for each."""

Measure = Callable[[Sequence[Subset]], Sequence[SubsetScore]]
"""Scores subsets; given many at once, it can share work between them."""


def rule_subsets(
    num_teacher_layers: int, kept: int, importance: Mapping[str, Sequence[float]]
) -> dict[Subset, tuple[LayerRule, ...]]:
    """What the rules keep, with the rules that keep it; of those that measure, the ones in `importance`."""
    found: dict[Subset, tuple[LayerRule, ...]] = {}
    for rule in get_args(LayerRule):
        if rule not in MEASURED_RULES or rule in importance:
            subset = kept_layers(rule, num_teacher_layers, kept, importance.get(rule))
            found[subset] = (*found.get(subset, ()), rule)
    return found


def most_promising(scores: Sequence[SubsetScore], kept: int, count: int) -> list[SubsetScore]:
    """The `count` best of a size, the best first; refitted ones, where there are any, and they alone."""
    sized = [score for score in scores if len(score.layers) == kept]
    comparable = [score for score in sized if score.is_refitted] or sized
    return sorted(comparable, key=lambda score: score.loss_nats)[:count]


def score_subsets(
    num_teacher_layers: int, kept: int, measure: Measure, also: Sequence[Subset] = ()
) -> list[SubsetScore]:
    """Score every subset of a size, or the promising ones if there are too many.

    The promising ones are found from the whole teacher down, leaving out one layer at a time: of each size, the
    `BEAM_WIDTH` best are reduced further. A subset that is good only as a whole can be missed.

    Args:
        num_teacher_layers: L.
        kept: Size of the subsets wanted.
        measure: Scores them.
        also: Subsets to score in any case.

    Returns:
        All that was scored on the way, larger subsets first, each once.
    """
    if math.comb(num_teacher_layers, kept) <= MAX_SUBSETS:
        return list(measure(list(combinations(range(num_teacher_layers), kept))))
    scores: list[SubsetScore] = []
    beam: list[Subset] = [tuple(range(num_teacher_layers))]
    for _ in range(num_teacher_layers - kept):
        reduced = {subset[:index] + subset[index + 1 :] for subset in beam for index in range(len(subset))}
        scored = measure(sorted(reduced))
        scores += scored
        beam = [each.layers for each in sorted(scored, key=lambda each: each.loss_nats)[:BEAM_WIDTH]]
    missed = set(also) - {each.layers for each in scores}
    return [*scores, *measure(sorted(missed))]
