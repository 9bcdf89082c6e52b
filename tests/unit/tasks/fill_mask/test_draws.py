import pytest
import torch

from ose.tasks.fill_mask.draws import systematic_draws
from ose.tasks.fill_mask.loss import sampled_cross_entropy
from ose.training.losses import cross_entropy_to

LOG_PROBS = (3 * torch.randn(40, 500, generator=torch.Generator().manual_seed(0))).log_softmax(-1)


def draws(count: int, seed: int = 0, log_probs: torch.Tensor = LOG_PROBS) -> torch.Tensor:
    return systematic_draws(log_probs, count, torch.Generator().manual_seed(seed))


def counts(drawn: torch.Tensor) -> torch.Tensor:
    return torch.zeros(LOG_PROBS.shape).scatter_add_(-1, drawn, torch.ones(drawn.shape))


@pytest.mark.parametrize("count", [1, 7, 48, 300])
def test_each_token_is_drawn_as_often_as_it_is_likely_to_within_one(count: int) -> None:
    drawn = draws(count)
    assert drawn.shape == (40, count) and drawn.dtype == torch.int64
    assert ((counts(drawn) - count * LOG_PROBS.exp()).abs() < 1 + 1e-6).all()


def test_on_average_it_is_drawn_exactly_as_often() -> None:
    rounds = 400
    mean = sum(counts(draws(8, seed)) for seed in range(rounds)) / rounds
    expected = 8 * LOG_PROBS.exp()
    rest = expected % 1
    variance = rest * (1 - rest) / rounds  # a count is one of two neighbours
    usual = variance * rounds > 0.05
    deviations = ((mean - expected).square() / variance)[usual]
    assert len(deviations) > 100
    assert deviations.mean() < 1.3


def test_the_loss_over_draws_is_nearer_to_the_exact_one_than_over_independent_draws() -> None:
    student = torch.randn(LOG_PROBS.shape, generator=torch.Generator().manual_seed(1))
    exact = cross_entropy_to(LOG_PROBS, student.log_softmax(-1)).mean()
    generator = torch.Generator().manual_seed(2)

    def error(drawn: torch.Tensor) -> float:
        return (sampled_cross_entropy(student, drawn) - exact).square().item()

    ours = sum(error(draws(48, seed)) for seed in range(30))
    independent = sum(
        error(torch.multinomial(LOG_PROBS.exp(), 48, replacement=True, generator=generator)) for _ in range(30)
    )
    assert ours < independent / 2


def test_any_leading_shape_and_a_last_token_that_is_certain() -> None:
    certain = torch.full((2, 3, 9), -1e4)
    certain[..., -1] = 0
    assert draws(5, log_probs=certain).tolist() == [[[8] * 5] * 3] * 2


def test_the_seed_decides() -> None:
    assert torch.equal(draws(48), draws(48))
    assert not torch.equal(draws(48), draws(48, seed=1))
