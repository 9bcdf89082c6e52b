import pytest
import torch
from classifiers import classifier, items
from transformers import PreTrainedModel

from ose.tasks.text_classification.forward import all_logits, encode, logits_of


@pytest.fixture(params=["bert", "roberta"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(name: str) -> PreTrainedModel:
    return classifier(name, max_position_embeddings=132)


def test_padding_to_16_and_to_128_gives_the_same_logits_states_and_gradients(name: str, model: PreTrainedModel) -> None:
    found = []
    for width in (16, 128):
        texts = items(name, 6, width)
        mask = (torch.arange(width) < texts.lengths[:, None]).long()
        output = encode(model, {"input_ids": texts.input_ids, "attention_mask": mask}, all_layers=True)
        model.zero_grad()
        (output.logits.square().mean() + sum(each.square().mean() for each in output.layer_states)).backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        found.append((output.logits, *output.layer_states, *gradients))
    for narrow, wide in zip(*found, strict=True):
        torch.testing.assert_close(narrow, wide, atol=1e-5, rtol=1e-4)


def test_all_texts_have_the_logits_that_each_has_alone(name: str, model: PreTrainedModel) -> None:
    texts = items(name, 70)
    together = all_logits(model, texts)
    alone = torch.cat([logits_of(model, texts.inputs(slice(row, row + 1))).detach() for row in range(70)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert not together.requires_grad and together.dtype == torch.float32


def test_states_are_those_of_real_tokens_alone(name: str, model: PreTrainedModel) -> None:
    texts = items(name, 9)
    output = encode(model, texts.inputs(), all_layers=True)
    assert {each.shape for each in output.layer_states} == {(int(texts.lengths.sum()), 16)}
    assert len(output.layer_states) == 3 and torch.equal(output.states, output.layer_states[-1])
    assert encode(model, texts.inputs()).layer_states == ()
