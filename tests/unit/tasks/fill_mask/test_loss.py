import math

import pytest
import torch
from torch.nn import functional as F

from ose.tasks.fill_mask.loss import sampled_cross_entropy
from ose.training.losses import cross_entropy_to

NUM_TARGETS, VOCAB_SIZE, NUM_DRAWS = 6, 11, 20_000


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TEACHER = 2 * normal(NUM_TARGETS, VOCAB_SIZE, seed=0)
STUDENT = normal(NUM_TARGETS, VOCAB_SIZE, seed=1)
PROBABILITIES = TEACHER.softmax(-1)


def draw(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.multinomial(PROBABILITIES, count, replacement=True, generator=generator)


def gradient(loss: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    (found,) = torch.autograd.grad(loss, logits)
    return found


def test_sampled_targets_have_the_whole_cross_entropy_as_their_mean() -> None:
    surprises = -STUDENT.log_softmax(-1)
    expected = (PROBABILITIES * surprises).sum(-1)
    variance = (PROBABILITIES * (surprises - expected[:, None]) ** 2).sum(-1)
    stderr = math.sqrt(variance.sum() / NUM_DRAWS) / NUM_TARGETS
    loss = sampled_cross_entropy(STUDENT, draw(NUM_DRAWS))
    assert abs(loss - expected.mean()) < 4 * stderr
    assert stderr < 0.005


def test_sampled_targets_have_the_whole_gradient_as_their_mean() -> None:
    logits = STUDENT.clone().requires_grad_()
    sampled = gradient(sampled_cross_entropy(logits, draw(NUM_DRAWS)), logits)
    exact = gradient(cross_entropy_to(TEACHER.log_softmax(-1), logits.log_softmax(-1)).mean(), logits)
    stderr = (PROBABILITIES * (1 - PROBABILITIES) / NUM_DRAWS).sqrt() / NUM_TARGETS
    assert ((sampled - exact).abs() < 5 * stderr).all()


@pytest.mark.slow
def test_few_draws_are_unbiased_too() -> None:
    draws = draw(4 * 5000).view(NUM_TARGETS, 5000, 4).transpose(0, 1)
    losses = torch.stack([sampled_cross_entropy(STUDENT, each) for each in draws])
    exact = cross_entropy_to(TEACHER.log_softmax(-1), STUDENT.log_softmax(-1)).mean()
    assert abs(losses.mean() - exact) < 4 * losses.std() / math.sqrt(len(losses))


def test_one_draw_is_the_usual_loss_against_that_token() -> None:
    tokens = torch.tensor([0, 3, 10, 5, 5, 1])
    torch.testing.assert_close(sampled_cross_entropy(STUDENT, tokens[:, None]), F.cross_entropy(STUDENT, tokens))


def plain(logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    return (logits.logsumexp(-1) - logits.gather(-1, draws).mean(-1)).mean()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("num_rows", [1, 16, 40])
def test_value_and_gradient_are_those_of_plain_autograd(num_rows: int, dtype: torch.dtype) -> None:
    logits = (5 * normal(num_rows, 50, seed=3)).to(dtype).requires_grad_()
    draws = torch.randint(0, 50, (num_rows, 9), generator=torch.Generator().manual_seed(4))
    before = logits.detach().clone()
    ours, theirs = sampled_cross_entropy(logits, draws), plain(logits.float(), draws)
    torch.testing.assert_close(ours, theirs)
    found = gradient(3 * ours, logits)
    assert found.dtype == dtype
    torch.testing.assert_close(found, gradient(3 * theirs, logits))
    assert torch.equal(logits, before)


def test_any_leading_shape() -> None:
    logits, draws = normal(4, 5, 20, seed=5), torch.zeros(4, 5, 3, dtype=torch.long)
    torch.testing.assert_close(sampled_cross_entropy(logits, draws), plain(logits, draws))
