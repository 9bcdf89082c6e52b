"""How a student starts: from the teacher's weights, and then from which of them, or at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ose.core.bounds import LAYER, Bounds, require_bounds
from ose.core.layer_choice import MEASURED_RULES, LayerChoice

Initialization = Literal["inherit", "random"]

HeadRule = Literal["leading", "norm", "gradient", "fluctuation"]
NeuronRule = Literal["leading", "activation", "taylor", "fluctuation"]
HiddenRule = Literal["leading", "activation", "rotation"]
Correction = Literal["none", "least_squares"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritanceSpec:
    """Which of the teacher's parts a student keeps, and what makes up for the rest.

    Attributes:
        layers: A rule, or the layers themselves. `influence` keeps those that turn the hidden states most,
            `ablation` those without which the loss is highest, `elimination` those that are left when one after the
            other is left out, each time the one that the rest, refitted, misses least.
        heads: `norm` of what a head adds to the stream, the loss's `gradient` on a mask over heads, or the
            `fluctuation` of what it adds: a constant can be made up for by a bias. `leading` keeps the first ones.
        neurons: Likewise: `activation` times the norm of the outgoing weights, first-order `taylor`, `fluctuation`.
        hidden: Channels of the residual stream by `activation`, or `rotation` onto its principal components.
        correction: `least_squares` refits each matrix to the teacher's activations on the sample, layer by layer.
        ridge: How strongly that fit is held to the copied weights, as a share of the inputs' mean variance.
        tokens: Size of the sample of the corpus that all of this is measured on.
    """

    __pydantic_config__ = {"extra": "forbid"}

    layers: Annotated[LayerChoice, LAYER] = "elimination"
    heads: HeadRule = "fluctuation"
    neurons: NeuronRule = "fluctuation"
    hidden: HiddenRule = "rotation"
    correction: Correction = "least_squares"
    ridge: Annotated[float, Bounds(1e-12, 1e6)] = 0.1
    tokens: Annotated[int, Bounds(1, 10_000_000)] = 8192

    def __post_init__(self) -> None:
        require_bounds(self)

    @property
    def needs_calibration(self) -> bool:
        """Whether anything has to be measured of the teacher first."""
        rules = {self.heads, self.neurons, self.hidden}
        return rules != {"leading"} or self.correction != "none" or self.layers in MEASURED_RULES
