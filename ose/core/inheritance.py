"""How a student starts: from the teacher's weights, and then from which of them, or at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ose.core.bounds import require_positive
from ose.core.layers import LayerChoice

Initialization = Literal["inherit", "random"]

HeadRule = Literal["leading", "norm", "gradient"]
NeuronRule = Literal["leading", "activation", "taylor"]
HiddenRule = Literal["leading", "activation", "rotation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritanceSpec:
    """Which of the teacher's parts a student keeps.

    Attributes:
        layers: A rule, or the layers themselves.
        heads: By the norm of a head's output, or by the loss's gradient on a mask over heads.
        neurons: By activation, or by the first-order change of the loss.
        hidden: Channels of the residual stream by activation, or the stream's principal components.
        sequences: Sequences of the corpus that importance is measured on.
    """

    __pydantic_config__ = {"extra": "forbid"}

    layers: LayerChoice = "distilbert"
    heads: HeadRule = "leading"
    neurons: NeuronRule = "leading"
    hidden: HiddenRule = "leading"
    sequences: int = 64

    def __post_init__(self) -> None:
        require_positive(self, "sequences")
