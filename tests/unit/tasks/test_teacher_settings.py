import json
from pathlib import Path
from typing import Any

import pytest

from ose.errors import TeacherError
from ose.tasks.teacher_settings import CONFIG, INDEX, SPECIAL_TOKENS, TOKENIZER_CONFIG, handed_on, shard_names

FOLDER = Path("/teachers/mine")


def kept(name: str, content: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(handed_on(name, json.dumps(content).encode(), FOLDER))
    return result


def refusal(name: str, content: dict[str, Any]) -> str:
    with pytest.raises(TeacherError) as caught:
        kept(name, content)
    assert len(str(caught.value).splitlines()) == 1 and str(FOLDER) in str(caught.value)
    return str(caught.value)


def test_all_that_describes_a_model_is_handed_on() -> None:
    content = {
        "architectures": ["DebertaV2ForMaskedLM"], "hidden_act": "gelu", "pos_att_type": "c2p|p2c", "dtype": "float16",
        "layer_norm_eps": 1e-12, "tie_word_embeddings": True, "pad_token_id": None, "id2label": {"0": "LABEL_0"},
        "layer_types": ["full_attention", "sliding_attention"], "rope_parameters": {"rope_type": "default", "x": 1.0},
        "transformers_version": "5.23.0.dev0", "_attn_implementation": "eager", "languages": ["en_XX"],
    }  # fmt: skip
    assert kept(CONFIG, content) == content


@pytest.mark.parametrize("labels", [10_001, -1, "2", [2], True])
def test_labels_are_few_at_any_depth(labels: object) -> None:
    assert "num_labels must be at most 10,000 (OSE_MAX_TEACHER_LABELS)" in refusal(CONFIG, {"num_labels": labels})
    assert "num_labels must be" in refusal(CONFIG, {"parts": [{"text_config": {"num_labels": labels}}]})
    assert kept(CONFIG, {"num_labels": 10_000}) == {"num_labels": 10_000}


def test_what_names_a_place_is_not_handed_on() -> None:
    content = {
        "_name_or_path": "org/model", "name_or_path": "model", "transformers_weights": "other.safetensors",
        "configuration_files": ["config.4.0.0.json"], "custom_pipelines": {"x": {"impl": "code.Class"}},
        "anything": "/etc/passwd", "deep": {"path": "../x", "size": 3}, "list": ["a", "b/c"],
    }  # fmt: skip
    assert kept(CONFIG, content) == {"deep": {"size": 3}}


@pytest.mark.parametrize("name", [TOKENIZER_CONFIG, SPECIAL_TOKENS])
def test_a_tokenizer_is_handed_its_tokens_and_switches_alone(name: str) -> None:
    good = {
        "tokenizer_class": "BertTokenizerFast", "do_lower_case": True, "strip_accents": None, "mask_token": None,
        "model_max_length": 512, "padding_side": "right", "model_input_names": ["input_ids", "attention_mask"],
        "cls_token": "/[CLS]", "sep_token": {"__type": "AddedToken", "content": "</s>", "lstrip": False},
        "additional_special_tokens": ["<a/b>"], "extra_special_tokens": {"image_token": "<image>"},
        "added_tokens_decoder": {"4": {"content": "[MASK]", "special": True}}, "never_split": ["[X]"],
        "wordpieces_prefix": "##", "sp_model_kwargs": {},
    }  # fmt: skip
    bad = {
        "vocab": "/etc/passwd", "merges": "merges.txt", "vocab_file": "vocab.txt", "tokenizer_file": "x/tokenizer.json",
        "gguf_file": "x.gguf", "init_inputs": ["/etc/passwd"], "chat_template": "{{ x }}", "name_or_path": "a",
        "fast_tokenizer_files": ["../tokenizer.1.json"], "trust_remote_code": True, "entity_vocab": ["a"],
    }  # fmt: skip
    assert kept(name, good | bad) == {key: value for key, value in good.items() if key != "sp_model_kwargs"}


@pytest.mark.parametrize("value", ["eager", "sdpa", None])
def test_the_attentions_that_come_along_may_be_named(value: str | None) -> None:
    assert kept(CONFIG, {"attn_implementation": value}) == {"attn_implementation": value}


@pytest.mark.parametrize(
    "key", ["attribute_map", "auto_map", "quantization_config", "compression_config", "use_kernels", "kernel_config"]
)
def test_what_needs_more_is_refused_at_any_depth(key: str) -> None:
    assert key in refusal(CONFIG, {"parts": [{"text_config": {key: {"x": "y"}}}]})
    assert kept(CONFIG, {key: None}) == {key: None}


@pytest.mark.parametrize(
    "name", ["AutoTokenizer", "pipeline", "../Tokenizer", "a.BertTokenizer", "owner/repo--a.Tokenizer"]
)
def test_a_tokenizers_class_is_one_of_transformers(name: str) -> None:
    assert "is no tokenizer's class" in refusal(TOKENIZER_CONFIG, {"tokenizer_class": name})


def test_options_of_other_libraries_are_refused() -> None:
    assert "mecab_kwargs" in refusal(TOKENIZER_CONFIG, {"mecab_kwargs": {"mecab_option": "-r /etc/passwd"}})


def test_files_of_other_kinds_are_handed_on_as_they_are() -> None:
    assert handed_on("vocab.txt", b"\xff[PAD]\n", FOLDER) == b"\xff[PAD]\n"


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(TeacherError):
        handed_on(CONFIG, content, FOLDER)


def test_an_index_names_each_shard_once() -> None:
    weight_map = {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}
    assert shard_names({"weight_map": weight_map}, FOLDER / INDEX) == ("model-1.safetensors", "model-2.safetensors")
    assert kept(INDEX, {"weight_map": weight_map, "metadata": {"x": "y"}}) == {"metadata": {}, "weight_map": weight_map}


@pytest.mark.parametrize(
    "shard", ["../x.safetensors", "/x.safetensors", "a/b.safetensors", ".safetensors", "x.bin", "", 3]
)
def test_a_shard_lies_beside_its_index(shard: object) -> None:
    assert "is no file of safetensors beside it" in refusal(INDEX, {"weight_map": {"a": shard}})
