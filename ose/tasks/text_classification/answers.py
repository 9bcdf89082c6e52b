"""What a classifier says of a text, in a form in which two models are compared."""

from __future__ import annotations

import math

import torch

from ose.tasks.text_classification.kinds import Kind
from ose.training.losses import cross_entropy_to


def answers_of(logits: torch.Tensor, kind: Kind) -> torch.Tensor:
    """From logits (N, L) to log-probabilities (N, questions, choices), or of one logit to the number itself, (N, 1).

    One label of many is one question of L choices; of several labels at once each is a question of two.
    """
    logits = logits.float()
    if kind == "single_label":
        return logits.log_softmax(dim=-1)[:, None]
    if kind == "multi_label":
        return torch.nn.functional.logsigmoid(torch.stack([logits, -logits], dim=-1))
    return logits


def distances(expected: torch.Tensor, answers: torch.Tensor, variance: float | torch.Tensor = 1.0) -> torch.Tensor:
    """(N,): how far answers are from the teacher's, the e of W for each item.

    Of log-probabilities the cross-entropy, mean over questions, in nats; of numbers the squared difference in units of
    the teacher's variance: the share of what the teacher tells texts apart by that is lost.

    Args:
        expected: The teacher's, as `answers_of` makes them.
        answers: Another model's, likewise.
        variance: Of the teacher's numbers.
    """
    if expected.ndim == 2:
        squares: torch.Tensor = (expected - answers).square()[:, 0] / variance
        return squares
    entropies: torch.Tensor = cross_entropy_to(expected, answers).mean(dim=-1)
    return entropies


def variance_of(answers: torch.Tensor) -> float:
    """Of a teacher's numbers, in which differences from them are told; 1 of log-probabilities.

    A teacher that says the same of all texts has none, and whatever is said then is as far as it is.
    """
    if answers.ndim == 3 or len(answers) < 2:
        return 1.0
    return float(answers.double().var()) or 1.0


def drawn_truth(answers: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(N, questions) choices drawn from a teacher's distributions; of numbers, (N, 1) with normal noise.

    Against them a teacher has the gradients of its Fisher information: of its own probabilities it has none.
    """
    if answers.ndim == 2:
        noise: torch.Tensor = torch.randn(answers.shape, generator=generator) * math.sqrt(variance_of(answers))
        return answers + noise
    drawn: torch.Tensor = torch.multinomial(answers.exp().flatten(0, 1), 1, generator=generator)
    return drawn.view(answers.shape[:2])


def truth_loss(answers: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean loss of answers against what `drawn_truth` gave."""
    if answers.ndim == 2:
        return (answers - truth).square().mean()
    return torch.nn.functional.nll_loss(answers.flatten(0, 1), truth.flatten())
