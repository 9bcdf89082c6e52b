import json
from pathlib import Path

import pytest
import torch
from classifiers import OTHERS, put_teacher
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from ose.errors import TeacherError
from ose.tasks.text_classification.teacher import kind_of_model, load_classifier, load_tokenizer


@pytest.mark.parametrize("name", ["bert", "roberta", *OTHERS])
def test_classifiers_of_any_class_are_loaded_frozen_in_float32(name: str, tiny_bert: Path, tmp_path: Path) -> None:
    folder = put_teacher(tmp_path, name, tiny_bert, problem_type="multi_label_classification")
    weights = {key: each.half() for key, each in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    model = load_classifier(folder)
    assert kind_of_model(model) == "multi_label" and not model.training
    assert all(each.dtype == torch.float32 and not each.requires_grad for each in model.parameters())


@pytest.mark.parametrize("part", ["classifier.weight", "pooler.dense.bias"])
def test_a_head_that_would_be_drawn_is_refused(part: str, tiny_bert: Path, tmp_path: Path) -> None:
    folder = put_teacher(tmp_path, "bert", tiny_bert)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {key: each for key, each in weights.items() if not key.endswith(part)},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(TeacherError, match=f"the weights have no .*{part}, which config.json asks for"):
        load_classifier(folder)


def test_a_tokenizer_that_cannot_pad_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings |= {"pad_token": None, "tokenizer_class": "PreTrainedTokenizerFast"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(TeacherError, match="has no pad_token"):
        load_tokenizer(tmp_path)
