"""
Tests ose/artifacts/digests.py, ose/inputs/teacher_config.py, ose/inputs/teacher_source.py and
ose/inputs/teacher_weights.py too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ose.core.job import TeacherFacts
from ose.core.spec import TeacherSpec
from ose.errors import InvalidInputError, TeacherError
from ose.inputs.teachers import inspect_teacher


def inspect(folder: Path | str) -> TeacherFacts:
    return inspect_teacher(TeacherSpec(model=str(folder)))


def refusal(folder: Path | str) -> str:
    with pytest.raises(TeacherError) as caught:
        inspect(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture
def teacher(tiny_roberta: Path, tmp_path: Path) -> Path:
    """A copy of the tiny RoBERTa that a test may spoil."""
    return Path(shutil.copytree(tiny_roberta, tmp_path / "teacher"))


def edit(folder: Path, name: str = "config.json", **changes: Any) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | changes))


@pytest.mark.parametrize("fixture", ["tiny_roberta", "tiny_bert"])
def test_facts_are_those_of_the_model_that_transformers_builds(fixture: str, request: pytest.FixtureRequest):
    from transformers import AutoModelForMaskedLM

    folder = request.getfixturevalue(fixture)
    facts, model = inspect(folder), AutoModelForMaskedLM.from_pretrained(folder)
    for part in (facts.architecture, facts.embedding):
        assert all(
            getattr(part, name) == getattr(model.config, name)
            for name in part.__dataclass_fields__
            if name not in ("family", "num_labels")
        )
    assert facts.num_parameters == sum(p.numel() for p in model.parameters())
    assert facts.num_encoder_parameters == sum(p.numel() for p in model.base_model.encoder.parameters())
    assert facts.architecture.family == "bert"
    assert (facts.path, facts.model_type) == (str(folder), model.config.model_type)
    assert facts.max_sequence_length == 64
    assert facts.can_be_inherited


@pytest.mark.parametrize("family", ["distilbert", "electra", "deberta-v2"])
def test_other_masked_language_models_teach_but_are_not_inherited(family: str, tiny_bert: Path, tmp_path: Path):
    from transformers import AutoModelForMaskedLM
    from transformers.models.auto import CONFIG_MAPPING

    shape = {"vocab_size": 800, "max_position_embeddings": 64}
    if family == "distilbert":
        shape |= {"n_layers": 2, "n_heads": 4, "dim": 32, "hidden_dim": 64}
    else:
        shape |= {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
        shape |= {"embedding_size": 32} if family == "electra" else {"type_vocab_size": 0}
    model = AutoModelForMaskedLM.from_config(CONFIG_MAPPING[family](**shape))
    model.save_pretrained(tmp_path)
    shutil.copy(tiny_bert / "tokenizer.json", tmp_path)

    facts = inspect(tmp_path)
    assert (str(facts.architecture), facts.architecture.family) == ("L2-A4-H32-I64", "bert")
    assert (facts.embedding.vocab_size, facts.max_sequence_length) == (800, 64)
    assert facts.num_parameters == sum(p.numel() for p in model.parameters())
    assert 0 < facts.num_encoder_parameters < facts.num_parameters
    assert not facts.can_be_inherited


def test_sharded_weights_give_the_same_facts(tiny_roberta: Path, teacher: Path):
    from transformers import AutoModelForMaskedLM

    (teacher / "model.safetensors").unlink()
    AutoModelForMaskedLM.from_pretrained(tiny_roberta).save_pretrained(teacher, max_shard_size="100KB")
    shards = sorted(teacher.glob("model-*.safetensors"))
    assert len(shards) > 1
    facts = inspect(teacher)
    assert facts.num_parameters == inspect(tiny_roberta).num_parameters
    shards[0].unlink()
    assert f"lacks the shard {shards[0].name}" in refusal(teacher)


def test_the_digest_follows_the_contents_and_not_the_place(tiny_roberta: Path, teacher: Path):
    assert inspect(teacher).digest == inspect(tiny_roberta).digest
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        before = inspect(teacher).digest
        content = (teacher / name).read_bytes()
        changed = content + b"\n" if name.endswith(".json") else content[:-1] + bytes([content[-1] ^ 1])
        (teacher / name).write_bytes(changed)
        assert inspect(teacher).digest != before


def test_positions_count_from_the_padding_id_in_roberta_and_the_tokenizer_may_bound_them(teacher: Path):
    edit(teacher, pad_token_id=0)
    edit(teacher, "tokenizer_config.json", pad_token="<s>")
    edit(teacher, "tokenizer_config.json", model_max_length=10**30)
    assert inspect(teacher).max_sequence_length == 65
    edit(teacher, "tokenizer_config.json", model_max_length=32)
    assert inspect(teacher).max_sequence_length == 32


def test_an_untied_head_is_counted_and_not_inherited(teacher: Path):
    from transformers import RobertaConfig, RobertaForMaskedLM

    config = RobertaConfig.from_pretrained(teacher, tie_word_embeddings=False)
    model = RobertaForMaskedLM(config)
    model.save_pretrained(teacher)
    facts = inspect(teacher)
    assert facts.num_parameters == sum(p.numel() for p in model.parameters())
    assert not facts.can_be_inherited


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "is a decoder (GPT2LMHeadModel)"),
        ({"architectures": ["LlamaForCausalLM"]}, "is a decoder (LlamaForCausalLM)"),
        ({"is_decoder": True}, "is a decoder"),
        ({"architectures": ["T5ForConditionalGeneration"]}, "is an encoder-decoder (T5ForConditionalGeneration)"),
        ({"is_encoder_decoder": True}, "is an encoder-decoder"),
        ({"architectures": ["RobertaModel"]}, "holds a RobertaModel, which has no vocabulary head"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "needs code of its own (auto_map in config.json)"),
        ({"hidden_size": None}, "does not tell hidden_size"),
        ({"hidden_size": "wide"}, "hidden_size must be a whole number, not 'wide'"),
        ({"num_attention_heads": 5}, "5 attention heads do not divide a hidden size of 32"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be positive"),
        ({"hidden_size": 64}, "word_embeddings.weight has the shape [800, 32], config.json says [800, 64]"),
        ({"num_hidden_layers": 5}, "the weights have no encoder.layer.4.intermediate.dense.weight"),
        ({"num_hidden_layers": 3}, "the weights have more layers than config.json says"),
        ({"vocab_size": 900}, "word_embeddings.weight has the shape [800, 32]"),
    ],
)
def test_a_configuration_that_cannot_teach_is_refused(teacher: Path, changes: dict[str, Any], message: str):
    edit(teacher, **changes)
    assert message in refusal(teacher)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def truncated(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def cut_in_the_header(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])


def garbage(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((10).to_bytes(8, "little") + b"\xff" * 100)


def pointer_of_git_lfs(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def empty_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def a_list_as_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"[]")


def broken_index(folder: Path) -> None:
    without_weights(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": []}')


def without_a_head(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    save_file({name: t for name, t in tensors.items() if "lm_head" not in name}, folder / "model.safetensors")


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def config_is_a_list(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"model": 3}')


def anothers_tokenizer(folder: Path) -> None:
    edit(folder, "tokenizer.json", added_tokens=[{"id": 800, "content": "<extra>"}])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_weights, "has no model.safetensors"),
        (pickled, "pytorch_model.bin is a pickle, which may run any code and is never loaded"),
        (truncated, "is truncated or corrupt: it has"),
        (cut_in_the_header, "is truncated or no safetensors file"),
        (garbage, "has a corrupt header"),
        (pointer_of_git_lfs, "fetch that with: git lfs pull"),
        (empty_weights, "is truncated or no safetensors file"),
        (a_list_as_header, "has a corrupt header"),
        (broken_index, "is no index of safetensors shards"),
        (without_a_head, "the weights have no vocabulary head"),
        (without_config, "has no config.json"),
        (broken_config, "config.json is no valid JSON"),
        (config_is_a_list, "config.json must hold a JSON object"),
        (without_tokenizer, "has no tokenizer (tokenizer.json, vocab.txt"),
        (broken_tokenizer, "tokenizer.json is no tokenizer's file"),
        (anothers_tokenizer, "they do not belong together"),
    ],
)
def test_a_spoilt_directory_is_refused(teacher: Path, spoil: Callable[[Path], None], message: str):
    spoil(teacher)
    assert message in refusal(teacher)


def test_every_truncation_of_the_weights_is_noticed(teacher: Path):
    weights = teacher / "model.safetensors"
    content = weights.read_bytes()
    for length in range(0, len(content), len(content) // 50):
        weights.write_bytes(content[:length])
        assert "truncated" in refusal(teacher)


def test_what_is_no_directory_is_told_apart(teacher: Path):
    assert refusal(teacher / "nowhere").endswith("nowhere': no such directory")
    assert "is a file; name the directory" in refusal(teacher / "config.json")
    assert "no such directory" in refusal("null\0byte")
    assert "no such directory" in refusal("")
    assert "File name too long" in refusal("x" * 5000)


def test_a_hub_id_that_cannot_be_had_names_both_readings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    message = refusal("nobody/no-such-model")
    assert message.startswith("teacher 'nobody/no-such-model': no such directory, and not available on the model hub: ")
    assert "cannot be reached" in message


def test_a_hub_id_in_the_cache_needs_no_network(teacher: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository, commit = tmp_path / "models--owner--tiny", "0" * 40
    shutil.copytree(teacher, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    facts = inspect("owner/tiny")
    assert (facts.path, facts.digest) == (str(repository / "snapshots" / commit), inspect(teacher).digest)


@pytest.mark.parametrize("revision", ["/dev/zero", "../x", "a\nb"])
def test_a_revision_is_a_commit_tag_or_branch(revision: str):
    with pytest.raises(InvalidInputError, match="revision must be a commit, tag or branch"):
        TeacherSpec(model="owner/tiny", revision=revision)


def test_what_a_hubs_cache_says_stays_in_it(teacher: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    repository = tmp_path / "cache" / "models--owner--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(str(teacher))
    assert "leads out of its own folder" in refusal("owner/tiny")
    (repository / "blobs").mkdir()
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for file in teacher.iterdir():
        shutil.copy(file, repository / "blobs" / file.name)
        (snapshot / file.name).symlink_to(f"../../blobs/{file.name}")
    (repository / "refs" / "main").write_text("0" * 40)
    assert inspect("owner/tiny").digest == inspect(teacher).digest
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(teacher / "config.json")
    assert "config.json cannot be read: it leads out" in refusal("owner/tiny")
