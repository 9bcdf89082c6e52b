"""Small real distillations, and what they tell of themselves."""

from collections.abc import Callable

from builders import architecture

from ose.core.presets import preset_spec
from ose.distillation.module import StepLosses
from ose.distillation.run import DistillationRun

SMALL = architecture(2, 2, 16, 24)
SPEC = preset_spec(
    "distilbert", steps=10, batch_size=8, learning_rate=5e-3, precision="float32", checkpoint_every=4, weight_decay=0.01
)
NewRun = Callable[..., DistillationRun]


class Curve(dict[int, StepLosses]):
    """What `on_step` told; interrupts the run at a step."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self._interrupt_at = interrupt_at

    def __call__(self, step: int, losses: StepLosses) -> None:
        if step == self._interrupt_at:
            raise KeyboardInterrupt
        self[step] = losses
