"""Cross-entropy to a teacher known by draws, in few passes over the logits."""

from __future__ import annotations

from typing import Any

import torch

_ROWS_ON_CPU = 8
"""Rows of logits at once: in float32 those of 50,265 tokens are 1.6 MB, which stay in a core's cache. The logits of a
step are twenty times as much, and plain autograd goes through them a dozen times in memory."""


def sampled_cross_entropy(logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Cross-entropy to a teacher known by draws from its distribution, mean over targets.

    Unbiased: its expectation over draws is the cross-entropy to the teacher's full distribution. Cutting
    that distribution to its top k and renormalising, the usual saving, makes students over-confident.

    Args:
        logits: (..., V), the student's, in any precision; sums are in float32, the gradient is in the logits' own.
        draws: (..., S) token ids drawn from the teacher's distribution, each as often as it is likely on average.

    Source:
        Sparse Logit Sampling, arXiv 2503.16870; it stores counts of distinct tokens, we store the draws.
    """
    return _SampledCrossEntropy.apply(logits.flatten(0, -2), draws.flatten(0, -2))  # type: ignore[no-any-return, no-untyped-call]


class _SampledCrossEntropy(torch.autograd.Function):
    """The gradient comes out of the same pass as the loss, so that each logit is raised to a power of e once."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        gradient = torch.empty_like(logits)
        losses = torch.cat(
            [
                _loss_and_gradient(*some, num_targets=len(logits))
                for some in zip(*(each.split(_rows_at_once(logits)) for each in (logits, draws, gradient)), strict=True)
            ]
        )
        ctx.save_for_backward(gradient)
        return losses.mean()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad.to(gradient.dtype), None


def _loss_and_gradient(
    logits: torch.Tensor, draws: torch.Tensor, gradient: torch.Tensor, *, num_targets: int
) -> torch.Tensor:
    """The losses of some targets; their part of the mean's gradient goes into `gradient`.

    A row's log-sum-exp follows from its likeliest token, whose share never vanishes.
    """
    shares = torch.softmax(logits, dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    log_sum = logits.amax(dim=-1).to(shares.dtype) - shares.amax(dim=-1).log()
    picked = logits.gather(-1, draws).to(shares.dtype).mean(dim=-1)
    drawn = torch.full_like(picked, -1 / (draws.shape[-1] * num_targets))[:, None].expand(draws.shape)
    gradient.copy_(shares.div_(num_targets).scatter_add_(-1, draws, drawn))
    return log_sum - picked


def _rows_at_once(logits: torch.Tensor) -> int:
    return _ROWS_ON_CPU if logits.device.type == "cpu" else len(logits)
