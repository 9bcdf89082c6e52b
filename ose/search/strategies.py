"""Which strategy a job asks for."""

from __future__ import annotations

from ose.core.architecture import Architecture, count_parameters
from ose.core.job import TeacherFacts
from ose.core.spec import JobSpec
from ose.search.extension import ExtensionStrategy
from ose.search.grid import Grid
from ose.search.halving import HalvingStrategy, halving_rounds
from ose.search.random_strategy import RandomStrategy
from ose.search.strategy import OseStrategy, Strategy

_PER_WORKER = 2
"""Proposals of a wave for each worker, which never waits for the next one."""


def build_strategy(spec: JobSpec, teacher: TeacherFacts) -> Strategy:
    """The strategy a job asks for, over its space in the teacher's order."""
    search = spec.search
    if spec.extends is not None:
        return ExtensionStrategy(spec.extends, search.steps)
    visited = spec.space.members(teacher.embedding, teacher.architecture.num_hidden_layers, stride=search.epsilon)
    match search.strategy:
        case "ose":
            return OseStrategy(visited, search.hyperparameters, search.steps)
        case "halving":
            return HalvingStrategy(visited, search.hyperparameters, halving_rounds(search), search.eta)
        case "random":
            return RandomStrategy(visited, search, spec.space.count(teacher.architecture.num_hidden_layers))
        case "optuna":
            return _optuna_strategy(spec, teacher)


def _optuna_strategy(spec: JobSpec, teacher: TeacherFacts) -> Strategy:
    from ose.search.optuna_strategy import OptunaStrategy  # optuna takes a second to load

    limit = spec.limits.max_parameters

    def is_small_enough(shape: Architecture) -> bool:
        return limit is None or count_parameters(shape, teacher.embedding).total <= limit

    search, depth = spec.search, teacher.architecture.num_hidden_layers
    wave_size = search.wave or _PER_WORKER * spec.workers.count
    return OptunaStrategy(Grid(spec.space, search.hyperparameters, depth, is_small_enough), search, wave_size)
