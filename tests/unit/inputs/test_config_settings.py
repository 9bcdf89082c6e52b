from pathlib import Path
from typing import Any

import pytest
from transformers.activations import ACT2FN

from ose.errors import TeacherError
from ose.families.bert import shape
from ose.inputs.config_settings import ACTIVATIONS, padding_id, require_padding, require_sound_settings

PLACE = Path("/teachers/mine/config.json")
GOOD = {
    "model_type": "roberta", "hidden_act": "gelu", "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0, "dropout": 0.1,
    "classifier_dropout": None, "transformers_version": "4.0", "id2label": {"0": "1"}, "norm_eps": 1e-5,
    "position_embedding_type": "absolute", "add_cross_attention": False, "torch_dtype": "float32",
}  # fmt: skip


def test_the_activations_are_those_of_transformers() -> None:
    assert set(ACT2FN) == ACTIVATIONS


def test_settings_of_trained_models_pass() -> None:
    require_sound_settings(GOOD, PLACE)
    require_sound_settings({"model_type": "esm", "position_embedding_type": "rotary"}, PLACE)  # its class knows it


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"hidden_act": "swiglu"}, "hidden_act is 'swiglu'"),
        ({"activation": "geluu"}, "activation is 'geluu'"),
        ({"hidden_act": ["gelu"]}, "no activation of transformers"),
        ({"position_embedding_type": "relative_key_query"}, "position_embedding_type is 'relative_key_query'"),
        ({"vocab_size": "800"}, "vocab_size is the text '800'; write the number without quotes"),
        ({"initializer_range": "inf"}, "initializer_range is the text 'inf'"),
        ({"hidden_dropout_prob": True}, "hidden_dropout_prob must be a number from 0 to 1, not 'True'"),
        ({"dropout": -0.1}, "dropout must be a number from 0 to 1"),
        ({"layer_norm_eps": 0}, "layer_norm_eps must be a small positive number"),
        ({"norm_eps": [1e-5]}, "norm_eps must be a small positive number"),
    ],
)
def test_what_makes_another_model_is_refused_by_its_key(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(TeacherError) as refused:
        require_sound_settings(GOOD | changes, PLACE)
    assert str(refused.value).startswith(f"{PLACE}: ") and told in str(refused.value)


@pytest.mark.parametrize("value", [-1, 800, 1.0, True, "1"])
def test_padding_is_a_row_of_the_vocabulary(value: object) -> None:
    with pytest.raises(TeacherError, match="pad_token_id must be a token id below 800"):
        require_padding({"model_type": "bert", "pad_token_id": value}, 800, shape, PLACE)


def test_only_classes_that_count_from_it_need_padding() -> None:
    require_padding({"model_type": "bert", "pad_token_id": None}, 800, shape, PLACE)
    require_padding({"model_type": "roberta"}, 800, shape, PLACE)
    with pytest.raises(TeacherError, match="pad_token_id is null, and this class counts positions from it"):
        require_padding({"model_type": "roberta", "pad_token_id": None}, 800, shape, PLACE)
    assert padding_id({"pad_token_id": 0}) == 0 and padding_id({}) == padding_id({"pad_token_id": None}) == 1
