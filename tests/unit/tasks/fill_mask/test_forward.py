import pytest
import torch
from models import masked_lm

from ose.errors import TeacherError
from ose.tasks.fill_mask.forward import at_positions, encode, logits_at


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


def test_gradients_flow_to_the_picked_positions_alone() -> None:
    states = torch.randn(2, 5, 3, requires_grad=True)
    at_positions(states, torch.tensor([[0, 4], [2, 3]])).sum().backward()
    assert states.grad is not None
    assert states.grad[:, :, 0].tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 1, 0]]


@pytest.mark.parametrize("name", ["roberta", "bert"])
@pytest.mark.parametrize("layer", [0, 1, -1])
def test_queries_keys_and_values_are_those_of_the_layer(name: str, layer: int) -> None:
    model = masked_lm(name)
    input_ids = torch.randint(5, 40, (2, 12))
    with torch.no_grad():
        kept = encode(model, input_ids, attention_of=layer)
        before = model(input_ids=input_ids, output_hidden_states=True).hidden_states[:-1][layer]
        matrices = model.base_model.encoder.layer[layer].attention.self
        for found, matrix in zip(kept.attention, (matrices.query, matrices.key, matrices.value), strict=True):
            torch.testing.assert_close(found, matrix(before))
            assert not matrix._forward_hooks
        assert encode(model, input_ids).attention == ()


@pytest.mark.parametrize("name", ["roberta", "bert", "distilbert"])
def test_all_layers_are_kept_if_asked_for(name: str) -> None:
    model = masked_lm(name)
    input_ids = torch.randint(5, 40, (2, 12))
    with torch.no_grad():
        expected = model(input_ids=input_ids, output_hidden_states=True).hidden_states
        torch.testing.assert_close(encode(model, input_ids, all_layers=True).layer_states, expected)
        assert encode(model, input_ids).layer_states == ()


def test_a_model_with_other_names_has_no_relations() -> None:
    with pytest.raises(TeacherError, match="does not find in a distilbert model"):
        encode(masked_lm("distilbert"), torch.randint(5, 40, (2, 12)), attention_of=-1)
