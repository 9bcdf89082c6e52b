"""The losses a student is trained with. All are means over targets, in nats where they are entropies."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def sampled_cross_entropy(logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Cross-entropy to a teacher known by draws from its distribution.

    Unbiased: its expectation over draws is the cross-entropy to the teacher's full distribution. Cutting
    that distribution to its top k and renormalising, the usual saving, makes students over-confident.

    Args:
        logits: (..., V), the student's.
        draws: (..., S) token ids drawn with replacement from the teacher's distribution.

    Source:
        Sparse Logit Sampling, arXiv 2503.16870; it stores counts of distinct tokens, we store the draws.
    """
    picked = logits.gather(-1, draws).mean(dim=-1)
    return (logits.logsumexp(dim=-1) - picked).mean()


def cross_entropy_to(teacher_log_probs: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each target between the teacher's and the student's distributions.

    Args:
        teacher_log_probs: (..., V).
        logits: (..., V), the student's.

    Returns:
        (...), one value a target.
    """
    return -(teacher_log_probs.exp() * logits.log_softmax(dim=-1)).sum(dim=-1)


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


def cosine_loss(teacher_states: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """One minus the cosine between hidden states of equal width, mean over tokens.

    Args:
        teacher_states: (..., H).
        states: (..., H), the student's, projected if it is narrower.
    """
    return (1 - F.cosine_similarity(states, teacher_states, dim=-1)).mean()
