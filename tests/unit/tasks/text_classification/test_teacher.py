import json
import shutil
from pathlib import Path

import pytest
import torch
from bad_teachers import with_more
from classifiers import OTHERS, put_teacher
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from ose.errors import TeacherError
from ose.tasks.loading import load_with_new_head
from ose.tasks.text_classification.rules import RULES
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


def test_an_encoder_of_another_class_gets_no_new_head(tiny_bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "teacher"))
    load_with_new_head(AutoModelForSequenceClassification, folder, {"num_labels": 3}, 0, RULES)  # its own is left out
    with_more(bert__encoder__layer__0__attention__self__distance_embedding__weight=(127, 8))(folder)
    with pytest.raises(TeacherError, match=r"layer\.0\.attention\.self\.distance_embedding\.weight, which config"):
        load_with_new_head(AutoModelForSequenceClassification, folder, {"num_labels": 3}, 0, RULES)
