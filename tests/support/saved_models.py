"""Models as a latency process takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ose.core.architecture import Architecture
from ose.core.job import TeacherFacts
from ose.core.measurement import LatencyProtocol
from ose.core.messages import LatencyRequest, SavedModel, SavedModelRequest, TimedModel
from ose.latency.timed_model import save_timed_model
from ose.runtimes.registry import runtime_package


def saving(
    folder: Path, teacher: TeacherFacts, architecture: Architecture, protocol: LatencyProtocol, **model: Any
) -> SavedModelRequest:
    return SavedModelRequest(
        id=folder.name,
        folder=str(folder),
        model=TimedModel(teacher=teacher, architecture=architecture, **model),
        runtime=runtime_package(protocol.runtime),
        precision=protocol.dtype,
    )


def measuring(teacher: TeacherFacts, protocol: LatencyProtocol, reference: Path, *models: Path) -> LatencyRequest:
    """The request to have saved models take turns with a reference."""
    first, *others = (
        SavedModel(folder=str(folder), vocab_size=teacher.embedding.vocab_size) for folder in (reference, *models)
    )
    return LatencyRequest(reference=first, models=tuple(others), inputs=protocol.inputs, protocol=protocol)


def saved(
    folder: Path, teacher: TeacherFacts, architecture: Architecture, protocol: LatencyProtocol, **model: Any
) -> LatencyRequest:
    """The request to measure a model that has been saved in `folder`, beside nothing but itself."""
    save_timed_model(saving(folder, teacher, architecture, protocol, **model))
    return measuring(teacher, protocol, folder)
