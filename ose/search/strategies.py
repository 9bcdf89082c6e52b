"""Which strategy a job asks for."""

from __future__ import annotations

from ose.core.job import TeacherFacts
from ose.core.spec import JobSpec
from ose.search.extension import ExtensionStrategy
from ose.search.halving import HalvingStrategy, halving_rounds
from ose.search.strategy import OseStrategy, Strategy


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
