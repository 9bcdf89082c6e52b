"""Teachers that are not what they compute: one line that names file and part, and nothing spent.

Each kind has the case that was found and a variant of it. docs/TROUBLESHOOTING.md lists the messages.
Tests ose/core/teacher_report.py, ose/inputs/weight_formats.py and ose/tasks/tensor_names.py too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_teachers import (
    QUERY,
    Spoil,
    adapter_alone,
    both,
    called,
    configured,
    denormal,
    drawn_head,
    edited,
    file_named,
    holding,
    instead_of_weights,
    of_type,
    permuted_rows,
    renamed,
    rewritten,
    shifted,
    slow_files,
    spoilt,
    with_more,
    with_tokens,
    without,
)

from ose.inputs.quickstart_job import teacher_folder

THAI = "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอนหรือวรรณยุกต์เช่นเดียวกับภาษาจีน"

AT_SUBMISSION: list[tuple[str, Spoil, str]] = [
    ("keys: relative positions in config.json", configured(position_embedding_type="relative_key"), "but absolute"),
    (
        "keys: relative positions in the weights",
        with_more(roberta__encoder__layer__0__attention__self__distance_embedding__weight=(63, 32)),
        "layer.0.attention.self.distance_embedding.weight, which config.json's class does not know",
    ),
    (
        "keys: layers of an adapter",
        with_more(roberta__encoder__layer__1__adapter__down__weight=(8, 192)),
        "adapter.down",
    ),
    (
        "keys: a norm is missing",
        without("layer.0.output.LayerNorm.weight"),
        "no encoder.layer.0.output.LayerNorm.weight",
    ),
    ("keys: an untied head without its matrix", configured(tie_word_embeddings=False), "have no matrix for it"),
    ("values: int8", of_type(torch.int8), f"{QUERY} is stored as I8, which is no type that weights are trained in"),
    ("values: 8 bits that are floats", of_type(torch.float8_e4m3fn), f"{QUERY} is stored as F8_E4M3"),
    ("values: uint8 in the head", of_type(torch.uint8, "lm_head.dense.weight"), "lm_head.dense.weight is stored as U8"),
    (
        "words: added beside slow files",
        both(slow_files, file_named("added_tokens.json", b'{"argument": 9000}')),
        "9,000",
    ),
    (
        "words: added in tokenizer_config.json",
        both(slow_files, edited("tokenizer_config.json", added_tokens_decoder={"8192": {"content": "<new>"}})),
        "token ids up to 8,192, the model's vocabulary ends before 8,192 (tokenizer_config.json)",
    ),
    ("words: more without tokenizer.json", both(slow_files, edited("vocab.json", the=8200)), "8,200"),
    (
        "padding: two ids",
        configured(pad_token_id=3),
        "padding is token 1 ('<pad>') to the tokenizer and pad_token_id 3",
    ),
    ("padding: another token", edited("tokenizer_config.json", pad_token="</s>"), "padding is token 2 ('</s>')"),
    ("padding: null", configured(pad_token_id=None), "pad_token_id is null, and this class counts positions from it"),
    ("padding: no row", configured(pad_token_id=8192), "pad_token_id must be a token id below 8,192, not '8192'"),
    ("settings: cross-attention", configured(add_cross_attention=True), "add_cross_attention makes half of an encoder"),
    (
        "settings: an unknown activation",
        configured(hidden_act="geluu"),
        "hidden_act is 'geluu', which is no activation",
    ),
    ("settings: a number in quotes", configured(layer_norm_eps="1e-5"), "layer_norm_eps is the text '1e-5'; write the"),
    ("settings: another in quotes", configured(hidden_dropout_prob="0.1"), "hidden_dropout_prob is the text '0.1'"),
    ("settings: a share above 1", configured(hidden_dropout_prob=1.5), "must be a number from 0 to 1, not '1.5'"),
    ("settings: no dropout", configured(attention_probs_dropout_prob=None), "must be a number from 0 to 1, not 'None'"),
    ("settings: quantized", configured(quantization_config={"load_in_8bit": True}), "needs them as they were trained"),
    ("folders: an adapter alone", adapter_alone, "is an adapter without its model; merge it first"),
    (
        "folders: an adapter beside a model",
        both(file_named("adapter_config.json"), file_named("adapter_model.safetensors")),
        "is a model with an adapter beside it (adapter_model.safetensors), which would not be loaded",
    ),
    (
        "folders: an older adapter beside a model",
        both(file_named("adapter_config.json"), file_named("adapter_model.bin")),
        "with an adapter beside it (adapter_model.bin)",
    ),
    ("folders: compiled", called("_orig_mod.{}".format), "have '_orig_mod.' in them"),
    ("folders: spread over devices", called("module.{}".format), "have 'module.' in them"),
    ("folders: part of another module", called("student.{}".format), "have 'student.' in them"),
    (
        "folders: a part was compiled",
        called(lambda name: name.replace("encoder.", "encoder._orig_mod.")),
        "'_orig_mod.'",
    ),
    (
        "folders: GGUF",
        instead_of_weights("model-q8_0.gguf", b"GGUF"),
        "model-q8_0.gguf is a GGUF file, whose weights are",
    ),
    ("folders: GGUF by another name", instead_of_weights("model.safetensors", b"GGUF" + bytes(99)), "is a GGUF file"),
    ("folders: a pickle", instead_of_weights("pytorch_model.bin", b"PK\3\4"), "is a pickle, which may run any code"),
    ("folders: a checkpoint", instead_of_weights("last.ckpt", b"PK\3\4"), "AutoModelForMaskedLM.from_pretrained(DIR)"),
    (
        "folders: a pickle by another name",
        instead_of_weights("model.safetensors", b"PK\3\4" + bytes(99)),
        "is a pickle",
    ),
    ("folders: ONNX", instead_of_weights("model.onnx", b""), "is an ONNX graph, in which a student finds no layers"),
    ("folders: Keras", instead_of_weights("tf_model.h5", b""), "is a file of TensorFlow or Flax"),
    (
        "folders: another name",
        renamed("weights.safetensors"),
        "has weights.safetensors, but no model.safetensors and no index; give it that name",
    ),
]
"""Kind and variant, what is done to a good teacher, and what is told: a file's head is enough to see it."""

WHEN_LOADED: list[tuple[str, Spoil, str]] = [
    (
        "keys: a part of the head is missing",
        without("lm_head.dense"),
        "the weights have no lm_head.dense.bias, lm_head",
    ),
    ("values: NaN", holding(float("nan")), f"{QUERY} in its weights has 1 values that are NaN or infinite"),
    ("values: 1e30", holding(1e30), f"{QUERY} in its weights has a value of 1e+30, which no trained model has"),
    ("values: 20,000 in a bias", holding(-2e4, "lm_head.bias"), "lm_head.bias in its weights has a value of 2e+04"),
]
"""Only the values of the weights, or the class that they are loaded into, show these."""

WHEN_ASKED: list[tuple[str, Spoil]] = [
    ("judgement: a head drawn at random", rewritten(drawn_head)),
    ("judgement: a tokenizer shifted by one", with_tokens(shifted)),
    ("judgement: the rows of another vocabulary", rewritten(permuted_rows)),
]
"""Files and weights are sound, and the answers are not: the job's text shows it."""


def of_name(cases: list[Any]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case[0] for case in cases])


@pytest.fixture
def good(job: dict[str, Any]) -> dict[str, Any]:
    """The small job with the trained teacher of the quickstart."""
    job["teacher"] = {"model": str(teacher_folder())}
    job["corpus"]["sequence_length"] = 32
    job["search"] |= {"held_out_sequences": 16, "inheritance": {"layers": "top", "tokens": 512}}
    job["space"] |= {"num_hidden_layers": [1], "hidden_size": [16]}
    return job


@pytest.fixture
def stopped(ose, good, write, tmp_path: Path) -> Callable[[Spoil], str]:
    """Run the job with a spoilt teacher; return why it stopped before anything was trained."""

    def run(spoil: Spoil) -> str:
        good["teacher"]["model"] = str(spoilt(teacher_folder(), tmp_path / "teacher", spoil))
        outcome = ose("job", "run", write(good))
        assert outcome.status == 1
        [known] = json.loads(ose("job", "list", "--format", "json").out)
        assert (known["error"]["code"], known["candidates"]) == ("invalid_teacher", {})
        assert "try again" not in outcome.err and outcome.err.strip().splitlines()[-1].startswith("error: job ")
        message: str = known["error"]["message"]
        assert str(tmp_path / "teacher") in message and len(message.splitlines()) == 1
        return message

    return run


@of_name(AT_SUBMISSION)
def test_a_files_head_is_enough(ose, good, write, tmp_path: Path, case: tuple[str, Spoil, str]) -> None:
    _, spoil, told = case
    good["teacher"]["model"] = str(spoilt(teacher_folder(), tmp_path / "teacher", spoil))
    outcome = ose("job", "submit", write(good))
    assert outcome.status == 2
    assert told in outcome.complaint and str(tmp_path / "teacher") in outcome.complaint
    assert json.loads(ose("job", "list", "--format", "json").out) == []


@of_name(WHEN_LOADED)
def test_weights_are_looked_at_before_anything_is_spent(stopped, case: tuple[str, Spoil, str]) -> None:
    assert case[2] in stopped(case[1])


@of_name(WHEN_ASKED)
def test_a_teacher_knows_more_than_how_often_tokens_occur(stopped, case: tuple[str, Spoil]) -> None:
    told = re.search(
        r"is ([\d.]+) nats, where a unigram model of the text has ([\d.]+): it knows less", stopped(case[1])
    )
    assert told is not None and float(told[1]) > float(told[2])


def test_text_of_another_language_is_no_text_for_a_teacher(ose, stopped, good) -> None:
    [text] = good["corpus"]["train"]
    Path(text).write_text("\n".join(THAI[start % 40 :] + THAI[: start % 30] for start in range(300)), encoding="utf8")
    good["corpus"]["as_is"] = True  # that a vocabulary takes it apart is told sooner, of the text
    assert "where a unigram model of the text has" in stopped(lambda folder: None)


def test_a_good_teacher_passes_and_its_figures_are_kept(ose, good, write) -> None:
    assert ose("job", "run", write(good)).status == 0
    [known] = json.loads(ose("job", "list", "--format", "json").out)
    board = json.loads(ose("leaderboard", known["id"], "--format", "json").out)
    of_text, *repeated = board["teacher"]["checks"]
    assert of_text["name"] == "masked_lm_loss_nats" and of_text["value"] < of_text["bound"] and of_text["is_passed"]
    assert [each["name"] for each in repeated] == ["difference_twice", "difference_sdpa_eager"]
    assert repeated[0]["value"] == 0 and 0 < repeated[1]["value"] < 1e-3


def test_a_teacher_in_doubt_is_taken_where_that_is_asked_for(ose, good, write, tmp_path: Path) -> None:
    good["teacher"]["model"] = str(spoilt(teacher_folder(), tmp_path / "teacher", with_tokens(shifted)))
    done = ose("job", "run", write(good), "--teacher-as-is")
    assert done.status == 0 and "was taken as it is, although its loss at" in " ".join(done.out.split())


def test_a_model_named_by_its_file_is_told_by_it(ose, good, write, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    good["teacher"]["model"] = str(tmp_path / "model.gguf")
    assert "is a file, a GGUF file, whose weights are cut down" in ose("job", "submit", write(good)).complaint


def test_doctor_names_what_is_left_out(ose, tmp_path: Path) -> None:
    pooled = with_more(roberta__pooler__dense__weight=(192, 192), roberta__pooler__dense__bias=(192,))
    looked = ose("doctor", spoilt(teacher_folder(), tmp_path / "teacher", both(pooled, rewritten(denormal))))
    assert looked.status == 0
    assert "left out: roberta.pooler.dense.bias, roberta.pooler.dense.weight" in looked.out
    assert "of the weights are denormal numbers" in looked.out
    bad = ose("doctor", spoilt(teacher_folder(), tmp_path / "bad", holding(1e30)))
    assert bad.status == 1 and "FAIL  teacher" in bad.out and "has a value of 1e+30" in bad.out


def test_latency_is_that_of_the_shape_whatever_the_weights(ose, tmp_path: Path) -> None:
    slow = spoilt(teacher_folder(), tmp_path / "teacher", rewritten(denormal))
    arguments = ("--sequence-length", "4", "--seconds-per-shape", "0.05", "--format", "json")
    measured = ose("latency", slow, "--reference", teacher_folder(), *arguments)
    [found] = json.loads(measured.out)["latencies"]
    assert measured.status == 0 and found["latency"]["ratio"] == pytest.approx(1, rel=0.5)


@pytest.mark.parametrize("lacking", ["model.safetensors", "config.json", "tokenizer.json"])
def test_half_a_hub_cache_is_fetched_once_where_there_is_a_network(
    ose, good, write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    repository, commit = tmp_path / "cache" / "models--owner--half", "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    spoilt(teacher_folder(), repository / "snapshots" / commit, lambda folder: (folder / lacking).unlink())
    good["teacher"]["model"] = "owner/half"
    told = ose("job", "submit", write(good)).complaint
    assert f"its cache has only a part of the model, without {lacking}; fetch it once" in told
    assert told.endswith("hf download owner/half")


@pytest.mark.parametrize("command", ["finetune", "evaluate"])
@pytest.mark.parametrize(
    ("spoil", "told"),
    [(of_type(torch.int8), "is stored as I8"), (called("module.{}".format), "have 'module.'")],
)
def test_other_commands_look_at_the_same_files(ose, tmp_path: Path, command: str, spoil: Spoil, told: str) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("sentence,label\ngood,1\nbad,0\n")
    model, options = spoilt(teacher_folder(), tmp_path / "model", spoil), ["--data", data, "--text", "sentence"]
    more = ["--label", "label", "--output", tmp_path / "out"] if command == "finetune" else []
    outcome = ose(command, model, *options, *more)
    assert outcome.status == 2 and told in outcome.complaint
