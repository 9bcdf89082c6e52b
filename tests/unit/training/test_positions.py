import torch

from ose.training.positions import at_positions


def test_gradients_flow_to_the_picked_positions_alone() -> None:
    states = torch.randn(2, 5, 3, requires_grad=True)
    at_positions(states, torch.tensor([[0, 4], [2, 3]])).sum().backward()
    assert states.grad is not None
    assert states.grad[:, :, 0].tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 1, 0]]
