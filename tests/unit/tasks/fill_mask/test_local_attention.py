import torch
from transformers import RobertaConfig, RobertaForMaskedLM

from ose.tasks.fill_mask.local_attention import attend_locally

OFFSETS = (-1, 1, -2, 2)


def attentions(model: RobertaForMaskedLM) -> tuple[torch.Tensor, ...]:
    input_ids = torch.randint(5, 600, (4, 48), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return model.roberta(input_ids=input_ids, output_attentions=True).attentions


def fresh_model() -> RobertaForMaskedLM:
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=600,
        num_hidden_layers=3,
        num_attention_heads=4,
        hidden_size=128,
        intermediate_size=32,
        max_position_embeddings=66,
        attn_implementation="eager",
    )
    return RobertaForMaskedLM(config).eval()


def share_at(attention: torch.Tensor, offset: int) -> float:
    """Mean attention that inner positions pay to the one `offset` away."""
    inner = torch.arange(4, 44)
    return float(attention[:, inner, inner + offset].mean())


def test_heads_of_the_first_layer_look_at_their_offsets() -> None:
    model = fresh_model()
    before = [share_at(attentions(model)[0][:, head], offset) for head, offset in enumerate(OFFSETS)]
    attend_locally(model)
    first = attentions(model)[0]
    after = [share_at(first[:, head], offset) for head, offset in enumerate(OFFSETS)]
    assert max(before) < 0.05
    assert min(after) > 0.3
    for head, offset in enumerate(OFFSETS):
        assert first[:, head, 20].mean(dim=0).argmax() == 20 + offset


def test_later_layers_and_what_words_mean_stay_random() -> None:
    model, untouched = fresh_model(), fresh_model()
    attend_locally(model)
    last = "roberta.encoder.layer.2.attention.self.query.weight"
    assert torch.equal(model.state_dict()[last], untouched.state_dict()[last])
    words, before = (m.roberta.embeddings.word_embeddings.weight for m in (model, untouched))
    assert torch.equal(words[:, 32:], before[:, 32:])
    assert not words[:, :32].any()


def test_everything_stays_trainable() -> None:
    model = fresh_model()
    attend_locally(model)
    model(input_ids=torch.full((1, 8), 7), labels=torch.full((1, 8), 9)).loss.backward()
    query = model.roberta.encoder.layer[0].attention.self.query.weight
    assert query.requires_grad
    assert query.grad is not None
    assert query.grad.isfinite().all()
