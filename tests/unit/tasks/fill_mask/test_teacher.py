import json
import shutil
from pathlib import Path

import pytest
import torch
from published_tensors import MPNET, bert_base_uncased
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    GPT2Config,
    GPT2LMHeadModel,
    MPNetConfig,
    MPNetForMaskedLM,
    RobertaForMaskedLM,
)

from ose.errors import TeacherError
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer

TINY = {
    "vocab_size": 40, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 24,
    "max_position_embeddings": 20,
}  # fmt: skip


@pytest.fixture
def folder(tiny_roberta: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_roberta, tmp_path / "teacher"))


def refusal(load: object, folder: Path) -> str:
    with pytest.raises(TeacherError) as caught:
        load(folder)  # type: ignore[operator]
    assert len(str(caught.value).splitlines()) == 1
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("fixture", "family"), [("tiny_roberta", RobertaForMaskedLM), ("tiny_bert", BertForMaskedLM)])
def test_a_teacher_is_loaded_frozen_and_ready(fixture: str, family: type, request: pytest.FixtureRequest) -> None:
    model = load_masked_lm(request.getfixturevalue(fixture))
    assert type(model) is family
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert load_tokenizer(request.getfixturevalue(fixture)).mask_token_id is not None


def test_weights_stored_in_half_precision_are_loaded_in_single(folder: Path) -> None:
    AutoModelForMaskedLM.from_pretrained(folder).half().save_pretrained(folder)
    assert {p.dtype for p in load_masked_lm(folder).parameters()} == {torch.float32}


def test_a_missing_weight_is_named(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["roberta.encoder.layer.1.attention.self.query.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "the weights have no roberta.encoder.layer.1" in refusal(load_masked_lm, folder)


def test_an_encoder_without_vocabulary_head_is_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({n: w for n, w in weights.items() if "lm_head" not in n}, folder / "model.safetensors", {"format": "pt"})
    assert "lm_head" in refusal(load_masked_lm, folder)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"intermediate_size": 64', '"intermediate_size": 60'))
    refusal(load_masked_lm, folder)


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refusal(load_masked_lm, folder)


def test_a_cut_off_file_is_refused(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    refusal(load_masked_lm, folder)


def test_pickled_weights_are_never_read(folder: Path) -> None:
    model = AutoModelForMaskedLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    refusal(load_masked_lm, folder)


def test_a_decoder_is_refused(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(vocab_size=40, n_layer=1, n_head=1, n_embd=8, n_positions=16)).save_pretrained(tmp_path)
    refusal(load_masked_lm, tmp_path)


@pytest.mark.parametrize("load", [load_masked_lm, load_tokenizer])
def test_a_folder_that_is_not_there_is_refused(load: object, tmp_path: Path) -> None:
    refusal(load, tmp_path / "missing")


def test_a_folder_without_tokenizer_is_refused(folder: Path) -> None:
    for file in folder.glob("*token*"):
        file.unlink()
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)
    refusal(load_tokenizer, folder)


def test_a_broken_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    refusal(load_tokenizer, folder)


def test_a_tokenizer_without_mask_is_refused(folder: Path, tiny_roberta: Path) -> None:
    tokenizer = load_tokenizer(tiny_roberta)
    tokenizer.mask_token = None
    tokenizer.save_pretrained(folder)
    assert "has no mask_token" in refusal(load_tokenizer, folder)


def test_weights_that_only_the_configuration_has_are_not_made_up(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"max_position_embeddings": 10**9}))
    assert "config.json asks for 32,0" in refusal(load_masked_lm, folder)


@pytest.mark.slow
def test_tensors_are_counted_as_they_are_made(tmp_path: Path) -> None:
    shape = {"hidden_size": 8, "embedding_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
    AlbertForMaskedLM(AlbertConfig(vocab_size=50, num_hidden_layers=2, **shape)).save_pretrained(tmp_path)
    assert load_masked_lm(tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(content | {"inner_group_num": 10**6}))
    assert "config.json asks for more than 20,000 tensors (OSE_MAX_TEACHER_TENSORS)" in refusal(
        load_masked_lm, tmp_path
    )


def test_bert_as_it_was_first_published_loads_whole(tiny_bert: Path, tmp_path: Path) -> None:
    """The names of bert-base-uncased's file, in small: old norms, and heads that this task has no use for."""
    published = bert_base_uncased()
    model = BertForPreTraining(BertConfig(**{**TINY, "num_hidden_layers": 12}))
    tensors = {name: each.clone() for name, each in model.state_dict().items()}
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): each for name, each in tensors.items()}
    old = {name.replace("LayerNorm.bias", "LayerNorm.beta"): each for name, each in old.items()}
    old = {name: each for name, each in old.items() if name in published.shapes}
    assert old.keys() == published.shapes.keys()
    model.config.save_pretrained(tmp_path)
    save_file(old, tmp_path / "model.safetensors", {"format": "pt"})
    loaded = load_masked_lm(tmp_path).state_dict()
    assert all(torch.equal(each, tensors[name]) for name, each in loaded.items())


def test_mpnet_as_it_was_published_lacks_the_head_that_its_config_claims(tmp_path: Path) -> None:
    model = MPNetForMaskedLM(MPNetConfig(**{**TINY, "num_hidden_layers": 12}))
    names = {f"mpnet.{name}": name for name in MPNET.shapes}
    kept = {names[name]: each.clone() for name, each in model.state_dict().items() if name in names}
    assert MPNET.shapes.keys() - kept.keys() == {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
    kept |= {"pooler.dense.weight": torch.ones(16, 16), "pooler.dense.bias": torch.ones(16)}
    model.config.save_pretrained(tmp_path)
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    assert "the weights have no lm_head.bias, " in refusal(load_masked_lm, tmp_path)
