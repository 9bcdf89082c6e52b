import pytest
import torch
from transformers import RobertaConfig, RobertaForMaskedLM

from ose.training.optimizer import build_optimizer, learning_rate_factor, set_learning_rate


def tiny_model() -> RobertaForMaskedLM:
    return RobertaForMaskedLM(
        RobertaConfig(
            vocab_size=30,
            num_hidden_layers=1,
            num_attention_heads=2,
            hidden_size=8,
            intermediate_size=12,
            max_position_embeddings=20,
        )
    )


def test_biases_and_layer_norms_are_never_decayed() -> None:
    model = tiny_model()
    optimizer = build_optimizer(model, 1e-3, weight_decay=0.1)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        spared = name.endswith("bias") or "LayerNorm" in name or "layer_norm" in name
        assert decay[id(parameter)] == (0.0 if spared else 0.1), name
    assert len(decay) == len(list(model.parameters()))


def test_frozen_parameters_are_left_out() -> None:
    model = tiny_model()
    model.base_model.embeddings.requires_grad_(False)
    optimizer = build_optimizer(model, 1e-3)
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert not given & {id(p) for p in model.base_model.embeddings.parameters()}
    assert given == {id(p) for p in model.parameters() if p.requires_grad}


def test_decay_alone_shrinks_a_matrix_by_rate_times_decay() -> None:
    model = torch.nn.Linear(4, 4)
    before = model.weight.detach().clone()
    optimizer = build_optimizer(model, 0.5, weight_decay=0.1)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), before * (1 - 0.5 * 0.1))


def test_the_rate_rises_to_its_peak_and_falls_to_almost_nothing() -> None:
    factors = [learning_rate_factor(step, 100, 0.1) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1.0
    assert factors[-1] == pytest.approx(1 / 90)
    assert learning_rate_factor(100, 100, 0.1) == 0.0
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)


@pytest.mark.parametrize(("num_steps", "warmup_fraction"), [(1, 0.0), (1, 0.9), (2, 0.5), (3, 0.99), (10, 0.0)])
def test_every_step_of_a_short_run_moves_the_weights(num_steps: int, warmup_fraction: float) -> None:
    factors = [learning_rate_factor(step, num_steps, warmup_fraction) for step in range(num_steps)]
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) == 1.0


def test_the_rate_is_set_in_every_group() -> None:
    optimizer = build_optimizer(tiny_model(), 1e-3)
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
