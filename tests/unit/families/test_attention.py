import pytest
import torch
from models import masked_lm

from ose.errors import TeacherError
from ose.families.attention import kept_attention


@pytest.mark.parametrize("name", ["roberta", "bert"])
@pytest.mark.parametrize("layer", [0, 1, -1])
def test_queries_keys_and_values_are_those_of_the_layer(name: str, layer: int) -> None:
    model = masked_lm(name)
    input_ids = torch.randint(5, 40, (2, 12))
    with torch.no_grad():
        with kept_attention(model, "fill_mask", layer) as attention:
            model.base_model(input_ids=input_ids)
        before = model(input_ids=input_ids, output_hidden_states=True).hidden_states[:-1][layer]
        matrices = model.base_model.encoder.layer[layer].attention.self
        for found, matrix in zip(attention, (matrices.query, matrices.key, matrices.value), strict=True):
            torch.testing.assert_close(found, matrix(before))
            assert not matrix._forward_hooks


def test_nothing_is_kept_unless_asked_for() -> None:
    model = masked_lm("bert")
    with torch.no_grad(), kept_attention(model, "fill_mask", None) as attention:
        model.base_model(input_ids=torch.randint(5, 40, (2, 12)))
    assert attention == []


def test_a_model_with_other_names_has_no_relations() -> None:
    with (
        pytest.raises(TeacherError, match="does not find in a distilbert model"),
        kept_attention(masked_lm("distilbert"), "fill_mask", -1),
    ):
        pass
