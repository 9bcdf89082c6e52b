"""Go on with the leaders of an earlier job."""

from __future__ import annotations

from ose.core.spec import Extension
from ose.strategies.base import OneWave, Proposal


class ExtensionStrategy(OneWave):
    """The candidates that an extension names, in its order, each with one phase more.

    Args:
        extension: Whom to go on with.
        num_steps: Steps in all.
    """

    def __init__(self, extension: Extension, num_steps: int) -> None:
        proposals = [
            Proposal(
                number=number,
                architecture=each.architecture,
                hyperparameters=each.hyperparameters,
                num_steps=num_steps,
                layers=each.layers,
                earlier_phases=each.phases,
            )
            for number, each in enumerate(extension.candidates, start=1)
        ]
        super().__init__(proposals)
