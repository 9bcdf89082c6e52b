"""Which strategy a job asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ose.core.architecture import Architecture
from ose.core.job import TeacherFacts
from ose.core.search_space import Member
from ose.core.spec import JobSpec
from ose.families.counts import counts_of
from ose.strategies.base import Strategy
from ose.strategies.exhaustive import OseStrategy
from ose.strategies.extension import ExtensionStrategy
from ose.strategies.grid import Grid
from ose.strategies.halving import HalvingStrategy, halving_rounds
from ose.strategies.random import RandomStrategy

_PER_WORKER = 2
"""Proposals of a wave for each worker, which never waits for the next one."""


def build_strategy(spec: JobSpec, teacher: TeacherFacts, heed: Callable[[], None] = lambda: None) -> Strategy:
    """The strategy a job asks for, over its space in the teacher's order.

    Args:
        spec: The job's.
        teacher: Whose order it is.
        heed: Called again and again while members are gone through: what it raises ends that.
    """
    search = spec.search
    if spec.extends is not None:
        return ExtensionStrategy(spec.extends, search.steps)
    depth = teacher.architecture.num_hidden_layers
    visited = _heeding(spec.space.slices(counts_of(teacher), depth, stride=search.epsilon), heed)
    match search.strategy:
        case "ose":
            return OseStrategy(visited, search.hyperparameters, search.steps)
        case "halving":
            return HalvingStrategy(visited, search.hyperparameters, halving_rounds(search), search.eta)
        case "random":
            return RandomStrategy(visited, search, spec.space.count(depth))
        case "optuna":
            return _optuna_strategy(spec, teacher, heed)


def _heeding(slices: Iterable[Sequence[Member]], heed: Callable[[], None]) -> Iterator[Member]:
    for members in slices:
        heed()
        yield from members


def _optuna_strategy(spec: JobSpec, teacher: TeacherFacts, heed: Callable[[], None]) -> Strategy:
    from ose.strategies.optuna import OptunaStrategy  # optuna takes a second to load

    limit, counts = spec.limits.max_parameters, counts_of(teacher)

    def is_small_enough(shape: Architecture) -> bool:
        return limit is None or counts.parameters(shape).total <= limit

    search, shape = spec.search, teacher.architecture
    wave_size = search.wave or _PER_WORKER * spec.workers.count
    grid = Grid(spec.space, search.hyperparameters, shape.num_hidden_layers, is_small_enough, heed, shape.family)
    return OptunaStrategy(grid, search, wave_size)
