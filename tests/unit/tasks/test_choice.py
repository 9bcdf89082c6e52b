import json
from pathlib import Path

import pytest

from ose.errors import TeacherError
from ose.tasks.choice import class_of, suited_task, task_of


def test_a_directory_is_for_the_task_of_its_class(tiny_roberta: Path, tiny_bert: Path) -> None:
    assert task_of(tiny_roberta) == task_of(tiny_bert) == "fill_mask"


def test_a_directory_without_a_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match=r"has no config\.json"):
        task_of(tmp_path)


@pytest.mark.parametrize(
    ("config", "name"),
    [({"architectures": ["BertForPreTraining"]}, "BertForPreTraining"), ({}, ""), ({"architectures": None}, "")],
)
def test_a_class_that_says_nothing_suits(config: dict, name: str, tmp_path: Path) -> None:
    assert class_of(config) == name
    assert suited_task(config, None, tmp_path) == suited_task(config, "fill_mask", tmp_path) == "fill_mask"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"architectures": ["BertModel"]},
            "holds a BertModel, which has no vocabulary head or classification head; OSE needs",
        ),
        ({"architectures": ["T5ForConditionalGeneration"]}, "is an encoder-decoder (T5ForConditionalGeneration)"),
        ({"is_encoder_decoder": True, "model_type": "t5"}, "is an encoder-decoder (t5); OSE needs a masked language"),
        ({"architectures": ["GPT2LMHeadModel"]}, "is a decoder (GPT2LMHeadModel); OSE needs a masked language model"),
    ],
)
def test_other_models_are_refused_in_one_line(config: dict, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(TeacherError) as caught:
        task_of(tmp_path)
    assert message in str(caught.value) and len(str(caught.value).splitlines()) == 1
