import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from ose.models.forward import at_positions, final_hidden_states, logits_at, vocabulary_head

SHAPE = {
    "vocab_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}


def build(name: str) -> PreTrainedModel:
    torch.manual_seed(0)
    if name == "distilbert":
        model: PreTrainedModel = DistilBertForMaskedLM(
            DistilBertConfig(vocab_size=40, n_layers=2, n_heads=2, dim=16, hidden_dim=24, max_position_embeddings=20)
        )
    elif name == "bert":
        model = BertForMaskedLM(BertConfig(**SHAPE))
    else:
        model = RobertaForMaskedLM(RobertaConfig(**SHAPE))
    with torch.no_grad():  # a fresh model's biases are all zero, which would hide a head left out
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize(("name", "has_head"), [("roberta", True), ("bert", True), ("distilbert", False)])
def test_logits_at_positions_are_those_of_the_whole_model(name: str, has_head: bool) -> None:
    model = build(name)
    input_ids = torch.randint(5, 40, (3, 12))
    positions = torch.tensor([[1, 4], [0, 11], [5, 5]])
    with torch.no_grad():
        expected = model(input_ids=input_ids).logits[torch.arange(3)[:, None], positions]
        torch.testing.assert_close(logits_at(model, input_ids, positions), expected)
    assert (vocabulary_head(model) is not None) is has_head
    assert expected.shape == (3, 2, 40)


@pytest.mark.parametrize("name", ["roberta", "bert", "distilbert"])
def test_hidden_states_are_the_last_layers(name: str) -> None:
    model = build(name)
    input_ids = torch.randint(5, 40, (2, 12))
    with torch.no_grad():
        expected = model(input_ids=input_ids, output_hidden_states=True).hidden_states[-1]
        torch.testing.assert_close(final_hidden_states(model, input_ids), expected)


def test_gradients_flow_to_the_picked_positions_alone() -> None:
    states = torch.randn(2, 5, 3, requires_grad=True)
    at_positions(states, torch.tensor([[0, 4], [2, 3]])).sum().backward()
    assert states.grad is not None
    assert states.grad[:, :, 0].tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 1, 0]]
