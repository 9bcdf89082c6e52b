"""Whether a teacher computes what it seems to: asked about a few items again, in other ways, before all else.

Whether its answers are better than guessing, the task itself asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel

from ose.core.measurement import TeacherCheck
from ose.core.recipe import Precision
from ose.errors import TeacherError
from ose.training.precision import autocast

NUM_ITEMS = 64
"""Items that are asked about again."""

MOST_DIFFERENCE = 0.01
"""Between outputs of the same model for the same items; kernels in float32 differ by some hundred-thousandths."""

_ROWS_AT_ONCE = 16
_KERNELS = ("sdpa", "eager")
"""Of attention: the one that most models come with, and the one that students are trained with on a CPU."""

Outputs = Callable[[torch.Tensor], torch.Tensor]
"""From the rows of some items to the teacher's outputs for them, (N, ...)."""


def repeated_checks(
    model: PreTrainedModel, outputs: Outputs, num_items: int, precision: Precision
) -> tuple[TeacherCheck, ...]:
    """Ask a teacher again: in the same way, with another kernel of attention, and in the precision of the search.

    Args:
        model: The teacher.
        outputs: Runs it.
        num_items: Of how many items there are, the first of which are asked about.
        precision: Of the search.

    Raises:
        TeacherError: An output is NaN or infinite; no student can learn them.
    """
    usual, count = str(model.config._attn_implementation), min(num_items, NUM_ITEMS)
    kernels = [usual, *(each for each in _KERNELS if usual in _KERNELS and each != usual and _takes(model, each))]
    largest = dict.fromkeys(kernels, 0.0)
    for rows in torch.arange(count).split(_ROWS_AT_ONCE):
        first = _finite(outputs(rows), model, "float32")
        for kernel in kernels:
            with _attention(model, kernel):
                again = _finite(outputs(rows), model, f"float32 with {kernel} attention")
            largest[kernel] = max(largest[kernel], float((first - again).abs().max()))
        with autocast(model.device, precision):  # which stays in force where `outputs` asks for none
            _finite(outputs(rows), model, precision)
    return tuple(_check(kernel, usual, count, difference) for kernel, difference in largest.items())


def doubts_of(checks: tuple[TeacherCheck, ...]) -> tuple[str, ...]:
    """What is told of those that were not passed."""
    return tuple(each.told for each in checks if not each.is_passed)


@contextmanager
def _attention(model: PreTrainedModel, kernel: str) -> Iterator[None]:
    usual = model.config._attn_implementation
    if kernel == usual:
        yield
        return
    model.set_attn_implementation(kernel)
    try:
        yield
    finally:
        model.set_attn_implementation(usual)


def _takes(model: PreTrainedModel, kernel: str) -> bool:
    return kernel == "eager" or bool(model._supports_sdpa)


def _finite(outputs: torch.Tensor, model: PreTrainedModel, how: str) -> torch.Tensor:
    bad = int((~torch.isfinite(outputs)).flatten(1).any(dim=1).sum())
    if bad:
        raise TeacherError(
            f"{model.name_or_path}: the answers to {bad:,} of {len(outputs):,} items are NaN or infinite in {how}, and "
            "no student can learn them; if float32 is right, use search.precision: float32"
        )
    return outputs.float()


def _check(kernel: str, usual: str, count: int, difference: float) -> TeacherCheck:
    how = "asked twice" if kernel == usual else f"with {usual} and with {kernel} attention"
    return TeacherCheck(
        name="difference_twice" if kernel == usual else f"difference_{usual}_{kernel}",
        value=difference,
        bound=MOST_DIFFERENCE,
        is_passed=difference <= MOST_DIFFERENCE,
        told=f"its answers to {count:,} items {how} differ by at most {difference:.1g}",
    )
