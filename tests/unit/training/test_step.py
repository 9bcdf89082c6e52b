import math

import pytest
import torch
from torch import nn

from ose.errors import NonFiniteLossError
from ose.training.step import require_finite, take_step


def test_gradients_are_clipped_used_and_dropped() -> None:
    module = nn.Linear(2, 1, bias=False)
    before = module.weight.detach().clone()
    module.weight.grad = torch.tensor([[3.0, 4.0]])
    take_step(module, torch.optim.SGD(module.parameters(), lr=1.0), max_grad_norm=1.0)
    torch.testing.assert_close(before - module.weight, torch.tensor([[0.6, 0.8]]))
    assert module.weight.grad is None


@pytest.mark.parametrize("losses", [[math.nan], [math.inf, 1.0], [1.0, math.nan]])
def test_a_loss_that_is_no_number_names_its_step(losses: list[float]) -> None:
    with pytest.raises(NonFiniteLossError, match=f"the loss is {losses[0]} at step 3 of 7"):
        require_finite(losses, 2, 7)


def test_numbers_pass() -> None:
    require_finite([0.0, -1.0, 1e38], 0, 1)
