"""What is found of a model directory that may become a teacher, when it is looked at alone."""

from __future__ import annotations

from dataclasses import dataclass

MOST_DENORMAL = 0.001
"""Share of weights from which on they are told: of a trained encoder hardly one is a denormal number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherReport:
    """A model directory that has passed all checks of its files and weights.

    Attributes:
        task: What it does.
        model_type: Hugging Face's name of its family.
        architecture: Its sizes.
        num_parameters: Of the whole model.
        unused: Tensors of its files that the task does not compute with, and that are left out.
        largest_weight: Its absolute value.
        denormal_share: Of its weights, those so near to 0 that processors compute with them many times slower.
        num_tokens: Of its tokenizer.
    """

    task: str
    model_type: str
    architecture: str
    num_parameters: int
    unused: tuple[str, ...]
    largest_weight: float
    denormal_share: float
    num_tokens: int


def denormal_line(share: float | None) -> str | None:
    """What is to be known of denormal weights; None if there are hardly any."""
    if share is None or share <= MOST_DENORMAL:
        return None
    return (
        f"{share:.1%} of the weights are denormal numbers, nearer to 0 than 1.2e-38, with which processors compute "
        "many times slower; set them to 0 before the model is used or measured"
    )
