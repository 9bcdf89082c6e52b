import pytest
import torch
from models import masked_lm

from ose.tasks.fill_mask.forward import encode, logits_at


@pytest.mark.parametrize(("name", "has_head"), [("roberta", True), ("bert", True), ("distilbert", False)])
def test_logits_at_positions_are_those_of_the_whole_model(name: str, has_head: bool) -> None:
    model = masked_lm(name)
    input_ids = torch.randint(5, 40, (3, 12))
    positions = torch.tensor([[1, 4], [0, 11], [5, 5]])
    with torch.no_grad():
        expected = model(input_ids=input_ids).logits[torch.arange(3)[:, None], positions]
        torch.testing.assert_close(logits_at(model, input_ids, positions), expected)
        torch.testing.assert_close(encode(model, input_ids).logits(), model(input_ids=input_ids).logits)
        assert (encode(model, input_ids).head is not None) is has_head
    assert expected.shape == (3, 2, 40)


@pytest.mark.parametrize("name", ["roberta", "bert", "distilbert"])
def test_hidden_states_are_the_last_layers(name: str) -> None:
    model = masked_lm(name)
    input_ids = torch.randint(5, 40, (2, 12))
    with torch.no_grad():
        expected = model(input_ids=input_ids, output_hidden_states=True).hidden_states[-1]
        torch.testing.assert_close(encode(model, input_ids).states, expected)


@pytest.mark.parametrize("name", ["roberta", "bert", "distilbert"])
def test_all_layers_are_kept_if_asked_for(name: str) -> None:
    model = masked_lm(name)
    input_ids = torch.randint(5, 40, (2, 12))
    with torch.no_grad():
        expected = model(input_ids=input_ids, output_hidden_states=True).hidden_states
        torch.testing.assert_close(encode(model, input_ids, all_layers=True).layer_states, expected)
        assert encode(model, input_ids).layer_states == ()
