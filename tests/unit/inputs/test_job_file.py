"""Tests ose/inputs/key_paths.py and ose/inputs/validation.py."""

from __future__ import annotations

import copy
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import job_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from ose.core.presets import preset_spec
from ose.core.spec import Columns, Hyperparameters, JobSpec
from ose.errors import JobFileError, NotFoundError, OseError, SearchSpaceError
from ose.inputs.job_file import load_job_file, parse_job, spec_hash
from ose.inputs.yaml_text import parse_mapping

JOB_FILE = """
name: minilm-on-laptop
teacher: {model: somewhere/teacher, revision: null}
corpus: {train: [text.txt], validation: [held-out.txt], sequence_length: 128}
space: bort
search:
  strategy: ose
  epsilon: 5
  steps: 100
  hyperparameters: [{learning_rate: 5e-4, batch_size: 32}, {learning_rate: 1}]
  initialization: inherit
  seed: 0
  weight_clip: 2
latency: {device: cpu, threads: 1, batch_size: 1, sequence_length: 128, dtype: float32, runtime: torch}
score: {formula: w, exponents: [1, 1, 1]}
limits: {max_parameters: null, max_latency_ms: null, max_loss_nats: null}
workers: {count: 2, cpus: 1, gpus: 0}
distillation: {preset: ose, steps: 20000, batch_size: 64}
"""
JOB = parse_mapping(JOB_FILE, "job")
AXES = {"num_hidden_layers": [2], "num_attention_heads": [4], "hidden_size": [32], "intermediate_size": [64]}


def changed(path: str, value: Any) -> dict[str, Any]:
    """JOB with the value at a dotted path replaced or added."""
    job = copy.deepcopy(JOB)
    *parents, key = path.split(".")
    mapping = job
    for parent in parents:
        mapping = mapping[parent]
    mapping[key] = value
    return job


def test_a_job_file_becomes_a_spec_with_every_number_of_its_type(tmp_path: Path):
    (tmp_path / "job.yaml").write_text(JOB_FILE)
    spec = load_job_file(tmp_path / "job.yaml")
    assert spec.space.name == "bort"
    assert spec.search.hyperparameters[0] == Hyperparameters(learning_rate=5e-4, batch_size=32)
    assert type(spec.search.hyperparameters[1].learning_rate) is float
    assert type(spec.search.weight_clip) is float
    assert spec.distillation == preset_spec("ose", steps=20000, batch_size=64)


def test_omitted_parts_take_the_defaults():
    spec = parse_job({key: JOB[key] for key in ("name", "teacher", "corpus")} | {"space": AXES}, "/")
    assert spec == JobSpec(name=spec.name, teacher=spec.teacher, corpus=spec.corpus, space=spec.space)
    assert spec.space.name == "inline"


@pytest.mark.parametrize("layers", ["top", [0, 2, 5]])
def test_layers_are_a_rule_or_a_list(layers: Any):
    spec = parse_job(changed("search.inheritance", {"layers": layers}), "/")
    assert spec.search.inheritance.layers == (layers if isinstance(layers, str) else tuple(layers))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("corpus.trian", ["a"], "job: corpus.trian is unknown; did you mean corpus.train?"),
        ("steps", 5, "job: steps is unknown; did you mean search.steps?"),
        ("search.batch_size", 5, "did you mean search.hyperparameters[0].batch_size?"),
        ("limits.zzz", 5, "limits.zzz is unknown; known here: max_parameters, max_latency_ms, max_loss_nats"),
        ("space.hiden_size", [3], "job: space.hiden_size is unknown; did you mean space.hidden_size?"),
        ("search.inheritance", {"layers": "tpo"}, "search.inheritance.layers must be a rule (distilbert, even, altern"),
        ("search.inheritance", {"layers": 3}, "search.inheritance.layers must be a rule (distilbert, even, alternate,"),
        ("search.inheritance", {"layers": [0, "x"]}, "search.inheritance.layers must be a rule (distilbert, even, "),
        ("search.inheritance", {"layers": [True]}, "search.inheritance.layers must be a rule (distilbert, even, alt"),
        ("distillation.layers", {"0": 1}, "distillation.layers must be a rule (distilbert, even, alternate, bottom,"),
        ("search.steps", -5, "job: search.steps must be positive, not -5"),
        ("search.steps", True, "job: search.steps must not be true or false"),
        ("search.weight_clip", True, "job: search.weight_clip must not be true or false"),
        ("search.hyperparameters", [{"batch_size": False}], "search.hyperparameters[0].batch_size must not be true or"),
        ("search.steps", 1.5, "job: search.steps must be a whole number, not 1.5"),
        ("search.steps", "many", "job: search.steps must be a whole number, not 'many'"),
        ("search.steps", None, "job: search.steps must be a whole number, not null"),
        ("search.weight_clip", float("inf"), "job: search.weight_clip must be a finite number"),
        ("limits.max_latency_ms", "inf", "job: limits.max_latency_ms must be a number, not 'inf'"),
        ("search.weight_clip", float("nan"), "job: search.weight_clip must be positive, not nan"),
        ("search.steps", "100", "job: search.steps must be a whole number, not '100'"),
        ("search.steps", 100.0, "job: search.steps must be a whole number, not 100.0"),
        ("name", "\ud800", "job: holds what is no JSON"),
        ("distillation.weights", {"cosine": float("nan")}, "job: distillation.weights: loss weights must not be"),
        ("distillation.preset", "brot", "distillation.preset must be 'ose', 'distilbert', 'bort', 'minilm', 'task'"),
        ("distillation.preset", ["bort"], "distillation.preset must be 'ose', 'distilbert', 'bort', 'minilm', 'task'"),
        ("distillation", {"preset": "bort", "stepz": 1}, "distillation.stepz is unknown; did you mean distillation."),
        ("distillation", {"preset": "bort", "weights": 3}, "job: distillation.weights must be a mapping of keys"),
        ("search.hyperparameters", [{"learning_rate": "nan"}], "search.hyperparameters[0].learning_rate must be"),
        ("search.hyperparameters", [], "job: search.hyperparameters is empty"),
        ("search.hyperparameters", {}, "job: search.hyperparameters must be a list, not {}"),
        ("search.strategy", "osee", "job: search.strategy must be 'ose'"),
        ("score.exponents", [1, 1, 1, 1], "job: score.exponents has too many values; it takes 3"),
        ("score.exponents", [1, 1], "job: score.exponents[2] is missing"),
        ("corpus.train", "text.txt", "job: corpus.train must be a list, not 'text.txt'"),
        ("corpus.train", [], "job: corpus.train names no file"),
        ("teacher", "roberta-base", "job: teacher must be a mapping of keys to values, not 'roberta-base'"),
        ("teacher.revision", 1234567, "job: teacher.revision must be text (quote it), not 1234567"),
        ("latency", None, "job: latency must be a mapping of keys to values, not null"),
        ("name", " ", "job: name is empty"),
        ("space", 5, "job: space must be a name, a path, or the four axes"),
        ("space", {"hidden_size": [3]}, "job: space.num_hidden_layers is missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_the_key(path: str, value: Any, message: str):
    job = changed(path, value) if not path.startswith("space.") else {**JOB, "space": AXES | {path[6:]: value}}
    with pytest.raises(JobFileError) as caught:
        parse_job(job, "/")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_preset_gives_the_values_that_the_job_does_not():
    job = changed("distillation", {"preset": "bort", "steps": 100, "weights": {"cosine": 1}, "temperature": 3})
    expected = preset_spec("bort", steps=100, weights={"cosine": 1.0}, temperature=3.0)
    assert parse_job(job, "/").distillation == expected
    assert expected.positions == "masked"
    assert parse_job(changed("distillation", {"steps": 3}), "/").distillation == preset_spec("ose", steps=3)


def test_a_missing_part_is_named():
    with pytest.raises(JobFileError, match="job: teacher is missing"):
        parse_job({key: value for key, value in JOB.items() if key != "teacher"}, "/")


def test_a_key_that_is_no_text_is_refused():
    with pytest.raises(JobFileError, match="job: true is unknown"):
        parse_job({**JOB, True: 1}, "/")


def test_problems_of_the_space_keep_their_kind():
    with pytest.raises(SearchSpaceError, match="job: space 'inline' has no valid member"):
        parse_job({**JOB, "space": AXES | {"hidden_size": [30]}}, "/")
    with pytest.raises(NotFoundError, match=r"job: space: no search space is called 'brot'; did you mean bort\?"):
        parse_job({**JOB, "space": "brot"}, "/")


def test_errors_of_a_file_begin_with_its_name(tmp_path: Path):
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(changed("search.steps", 0)))
    with pytest.raises(JobFileError) as caught:
        load_job_file(tmp_path / "job.yaml")
    assert str(caught.value) == f"{tmp_path / 'job.yaml'}: search.steps must be positive, not 0"


def test_paths_are_relative_to_the_job_file_and_else_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    beside, here = tmp_path / "[1] jobs", tmp_path / "cwd"
    (beside / "teacher").mkdir(parents=True)
    (beside / "both.txt").touch()
    here.mkdir()
    for name in ("both.txt", "here.txt"):
        (here / name).touch()
    monkeypatch.chdir(here)
    job = changed("corpus.train", ["both.txt", "here.txt", "*.txt", "org/name", "/none.txt"])
    job["teacher"]["model"] = "teacher"
    spec = parse_job(job, beside)
    assert spec.teacher.model == str(beside / "teacher")
    pattern = f"{tmp_path}/[[]1] jobs/*.txt"
    assert spec.corpus.train == (str(beside / "both.txt"), str(here / "here.txt"), pattern, "org/name", "/none.txt")


def test_the_hash_depends_on_the_request_and_not_on_how_it_is_written():
    spec = parse_job(JOB, "/")
    reordered = dict(reversed(JOB.items())) | {"search": {**JOB["search"], "weight_clip": 2.0}}
    assert spec_hash(parse_job(reordered, "/")) == spec_hash(spec)
    assert spec_hash(parse_job(changed("search.seed", 1), "/")) != spec_hash(spec)
    assert len(spec_hash(spec)) == 64


def test_jobs_of_earlier_versions_are_found_by_their_hash():
    assert spec_hash(job_spec()) == "7cc95ec624803cdeabba951ebb46fa216271e31c69220822d9f0666fe52d3cea"
    assert spec_hash(job_spec(task="fill_mask")) != spec_hash(job_spec())
    corpus = job_spec().corpus
    columns = [{"columns": Columns(text="body")}, {"columns": Columns(label="label")}]
    others = [*columns, {"quotes": "csv"}, {"skip_bad_rows": 0.1}]
    hashes = {spec_hash(job_spec(corpus=dataclasses.replace(corpus, **changes))) for changes in ({}, *others)}
    assert len(hashes) == 5


def test_the_former_name_of_the_text_column_is_read():
    former = JOB | {"corpus": {"train": ["text.txt"], "text_field": "body"}}
    now = JOB | {"corpus": {"train": ["text.txt"], "columns": {"text": "body"}}}
    assert parse_job(former, "/") == parse_job(now, "/") and parse_job(now, "/").corpus.columns.text == "body"
    with pytest.raises(JobFileError, match=r"^a\.yaml: corpus\.text_field is a former name of corpus\.columns\.text;"):
        parse_job(former | {"corpus": now["corpus"] | former["corpus"]}, "/", source="a.yaml")
    with pytest.raises(JobFileError, match=r"corpus\.columns\.text must be text"):
        parse_job(former | {"corpus": {"train": ["text.txt"], "text_field": 5}}, "/")


def test_attempts_of_former_job_files_mean_nothing():
    former = JOB | {"latency": JOB["latency"] | {"max_attempts": 9}}
    assert parse_job(former, "/") == parse_job(JOB, "/")
    longer = JOB | {"latency": JOB["latency"] | {"seconds_per_shape": 3}}
    assert parse_job(longer, "/").latency.seconds_per_shape == 3.0
    assert spec_hash(parse_job(longer, "/")) != spec_hash(parse_job(JOB, "/"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"txt": "a"}, "corpus.columns.txt is unknown; did you mean corpus.columns.text?"),
        ({"label": ""}, "corpus.columns.label is empty"),
        ({"label": "text"}, "corpus.columns.text and label are one column, 'text'"),
        ({"text": None}, "corpus.columns.text must be text"),
        ("text", "corpus.columns must be a mapping of keys to values"),
    ],
)
def test_columns_are_names_of_their_own(columns: object, message: str):
    with pytest.raises(JobFileError, match=re.escape(message)):
        parse_job(JOB | {"corpus": {"train": ["text.txt"], "columns": columns}}, "/")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, item in inside for place in places(item, (*path, key))]


WITH_INLINE_SPACE = {**JOB, "space": AXES | {"num_hidden_layers": {"start": 1, "stop": 3, "step": 1}}}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(base=st.sampled_from([JOB, WITH_INLINE_SPACE]), data=st.data())
def test_no_mutation_of_a_job_raises_anything_but_our_own_one_line_errors(base: dict[str, Any], data: st.DataObject):
    job = copy.deepcopy(base)
    *parents, key = data.draw(st.sampled_from(places(job)))
    mapping: Any = job
    for parent in parents:
        mapping = mapping[parent]
    match data.draw(st.sampled_from(["replace", "delete", "rename"])):
        case "replace":
            mapping[key] = data.draw(anything)
        case "delete":
            del mapping[key]
        case "rename" if isinstance(mapping, dict):
            mapping[data.draw(st.text() | st.integers() | st.booleans())] = mapping.pop(key)
    try:
        assert len(spec_hash(parse_job(job, "/nowhere"))) == 64
    except OseError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(position=st.integers(0, len(JOB_FILE) - 1), inserted=st.text(max_size=3), removed=st.integers(0, 5))
def test_no_slip_in_the_text_of_a_job_file_raises_anything_else(
    position: int, inserted: str, removed: int, tmp_path_factory: pytest.TempPathFactory
):
    path = tmp_path_factory.getbasetemp() / "slip.yaml"
    slipped = JOB_FILE[:position] + inserted + JOB_FILE[position + removed :]
    path.write_bytes(slipped.encode("utf8", "surrogatepass"))
    try:
        assert load_job_file(path).name
    except OseError as error:
        assert len(str(error).splitlines()) == 1


def test_a_name_too_long_for_a_file_is_nobodys(tmp_path):
    job = changed("corpus.train", ["é" * 300])
    assert parse_job(job, tmp_path).corpus.train == ("é" * 300,)


def test_what_a_job_names_of_its_recipe_is_kept_until_its_task_is_known():
    job = changed("distillation", {"steps": 20_000, "weights": {"labels": 0.5}})
    spec = parse_job(job, "/")
    assert spec.spelled_out == ("steps", "weights.labels")
    assert parse_job(changed("distillation", {}), "/").spelled_out == ()
    assert spec == dataclasses.replace(spec, spelled_out=None) and spec_hash(spec) == spec_hash(
        dataclasses.replace(spec, spelled_out=None)
    )
    with pytest.raises(JobFileError, match="spelled_out is not for job files"):
        parse_job({**JOB, "spelled_out": []}, "/")
