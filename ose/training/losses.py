"""The losses a student is trained with. All are means over targets, in nats where they are entropies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from ose.training.positions import token_weights


def cross_entropy_to(teacher_log_probs: torch.Tensor, log_probs: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each target between the teacher's and the student's distributions.

    Args:
        teacher_log_probs: (..., V).
        log_probs: (..., V), the student's.

    Returns:
        (...), one value a target.
    """
    return -(teacher_log_probs.exp() * log_probs).sum(dim=-1)


def soft_target_loss(teacher_logits: torch.Tensor, logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL divergence between softened distributions, summed over the vocabulary, times T^2.

    T^2 keeps the gradient's size when T changes (Hinton et al., arXiv 1503.02531, section 2). The sum over
    the vocabulary matters: Bort's released code averages over it, which all but switches distillation off.

    Args:
        teacher_logits: (N, V).
        logits: (N, V), the student's.
        temperature: T, the same on both sides.
    """
    teacher_log_probs = (teacher_logits / temperature).log_softmax(dim=-1)
    log_probs = (logits / temperature).log_softmax(dim=-1)
    divergence = F.kl_div(log_probs, teacher_log_probs, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def cosine_loss(
    teacher_states: torch.Tensor, states: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """One minus the cosine between hidden states of equal width, mean over tokens.

    Args:
        teacher_states: (..., H).
        states: (..., H), the student's, projected if it is narrower.
        weights: Of the tokens, which sum to 1; None if all count alike.
    """
    return _mean(1 - F.cosine_similarity(states, teacher_states, dim=-1), weights)


def relation_loss(
    teacher: Sequence[torch.Tensor],
    student: Sequence[torch.Tensor],
    num_heads: int,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """KL divergence between relations of tokens, mean over tokens and heads, summed over what is related.

    Where there is padding, the tokens of a sequence are averaged first, so that sequences count alike.

    A relation is softmax(X X^T / sqrt(d)) with X the queries, keys or values of one layer, joined over heads and split
    again into `num_heads` of width d. It is a distribution over tokens, so that widths and heads may differ.

    Args:
        teacher: Queries, keys and values, (B, T, H) each.
        student: Likewise, of any width.
        num_heads: Divides both widths.
        mask: (B, T), 0 at padding, which is related to nothing; None if there is none.

    Source:
        MiniLMv2, arXiv 2012.15828, equations 4 to 7 with equal weights, which are left to the caller.
    """
    terms = [
        _divergence(_log_relation(theirs, num_heads, mask), _log_relation(ours, num_heads, mask), num_heads, mask)
        for theirs, ours in zip(teacher, student, strict=True)
    ]
    return torch.stack(terms).sum()


def _divergence(
    teacher: torch.Tensor, student: torch.Tensor, num_heads: int, mask: torch.Tensor | None
) -> torch.Tensor:
    """Between relations (S * A, T), mean over tokens and heads."""
    if mask is None:
        return F.kl_div(student, teacher, reduction="batchmean", log_target=True)
    divergences = F.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=-1)
    return _mean(divergences.unflatten(0, (-1, num_heads)).mean(dim=-1), token_weights(mask))


def _log_relation(states: torch.Tensor, num_heads: int, mask: torch.Tensor | None) -> torch.Tensor:
    """(S * A, T) log-probabilities of one real token's relation to all of its sequence."""
    heads = states.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    scores = (heads @ heads.transpose(-1, -2) / heads.shape[-1] ** 0.5).float()
    if mask is None:
        log_probs: torch.Tensor = scores.log_softmax(dim=-1).flatten(0, 2)
        return log_probs
    scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min)
    real: torch.Tensor = scores.log_softmax(dim=-1).transpose(1, 2)[mask.bool()].flatten(0, 1)
    return real


def hidden_state_loss(
    teacher: Sequence[torch.Tensor], student: Sequence[torch.Tensor], weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean squared difference of the embeddings and of each student layer's output from the mapped teacher layer's.

    Layer i of D, counted from 1, is held to the teacher's round(i L / D); embeddings to embeddings.

    Args:
        teacher: L + 1 tensors (B, T, H), embeddings first.
        student: D + 1 tensors of the same width, projected if the student is narrower.
        weights: Of the tokens, which sum to 1; None if all count alike.

    Source:
        TinyBERT, arXiv 1909.10351, equations 8 and 9. It sums over layers, which makes the weight depend on depth; we
        take the mean. Its attention scores (equation 7) are left out: they need as many heads as the teacher has.
    """
    depth, teacher_depth = len(student) - 1, len(teacher) - 1
    terms = [_squares(teacher[round(i * teacher_depth / depth)], ours, weights) for i, ours in enumerate(student)]
    return torch.stack(terms).mean()


def _squares(teacher: torch.Tensor, student: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    if weights is None:
        return F.mse_loss(student, teacher)
    return _mean((student - teacher).square().mean(dim=-1), weights)


def _mean(values: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Of one value a token."""
    return values.mean() if weights is None else (values * weights).sum()
