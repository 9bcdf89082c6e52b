"""A model's way to ONNX: what ONNX Runtime makes of the file, in float32 and int8, and what is told of it.

Covers ose/runtimes/onnxruntime/graph.py, ose/runtimes/onnxruntime/parity.py, ose/runtimes/onnxruntime/export.py,
ose/runtimes/onnxruntime/quantize.py, ose/runtimes/onnxruntime/card.py, ose/tasks/onnx_folder.py,
ose/tasks/onnx_session.py, ose/tasks/onnx_model.py, ose/inputs/onnx_latency.py, ose/core/quantization.py,
ose/students/onnx_request.py, workers/onnx_export.py, ose/model_verbs.py, ose/students/compare.py, ose/cli/comparison.py
and ose/cli/comparison_picture.py.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from builders import (
    NOW,
    architecture,
    distillation_result,
    evaluation,
    job_spec,
    latency,
    teacher_quality,
)
from classifiers import put_labelled, put_teacher
from onnx import numpy_helper
from searches import facts_of

from ose.cli import comparison
from ose.cli.comparison_picture import draw
from ose.core.exports import MANIFEST
from ose.core.job import Candidate, CandidateStatus, Distillation, DistillationStatus, Job, JobStatus
from ose.core.measurement import LatencyProtocol
from ose.core.progress import Silence
from ose.core.quantization import Quantization
from ose.core.recipe import DistillationSpec
from ose.core.spec import Columns, CorpusSpec, Hyperparameters, TeacherSpec
from ose.errors import ConflictError, DependencyError, InvalidInputError, JobFileError, NotFoundError, TeacherError
from ose.inputs.corpora import inspect_corpus
from ose.runtimes.onnxruntime.parity import require_parity
from ose.store.base import Store
from ose.students.onnx_request import request_of_job
from ose.tasks.registry import load_task
from ose.tasks.text_classification.teacher import load_classifier
from ose.workers.onnx_export import run_onnx_export
from ose.workspace import Workspace

LABELS = {"id2label": {0: "no", 1: "yes"}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def here(home: Path) -> Workspace:
    return Workspace(home / "results")


@pytest.fixture(scope="module")
def teacher(home: Path, tiny_bert: Path) -> Path:
    return put_teacher(home / "teacher", "bert", tiny_bert, **LABELS)


@pytest.fixture(scope="module")
def exported(home: Path, here: Workspace, teacher: Path) -> Path:
    here.export_onnx(teacher, home / "onnx")
    return home / "onnx"


@pytest.fixture(scope="module")
def texts(home: Path, real_text: list[str]) -> CorpusSpec:
    """Some 400 labelled lines."""
    put_labelled(home, real_text)
    files = (str(home / "train.csv"), str(home / "validation.csv"))
    return CorpusSpec(train=files, columns=Columns(text="sentence", label="kind"))


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text())["onnx"]
    return found


def first_rows(texts: CorpusSpec, count: int, file: Path) -> CorpusSpec:
    with open(texts.train[0], newline="", encoding="utf8") as source:
        rows = list(csv.reader(source))[: count + 1]
    with file.open("w", newline="", encoding="utf8") as out:
        csv.writer(out).writerows(rows)
    return CorpusSpec(train=(str(file),), columns=Columns(text="sentence", label="kind"))


def test_an_export_runs_with_any_batch_and_length(exported: Path, teacher: Path) -> None:
    session = onnxruntime.InferenceSession(str(exported / "model.onnx"), providers=["CPUExecutionProvider"])
    model = load_task("text_classification").load_teacher(teacher)
    for shape in ((1, 1), (3, 8), (1, 48), (5, 20)):
        ids = torch.randint(5, 100, shape, generator=torch.Generator().manual_seed(1))
        mask = torch.ones_like(ids)
        mask[-1, shape[1] // 2 + 1 :] = 0
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        [found] = session.run(None, {each.name: given[each.name].numpy() for each in session.get_inputs()})
        with torch.inference_mode():
            expected = model(**given).logits.numpy()
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_the_manifest_tells_of_the_file(exported: Path) -> None:
    told = facts(exported)
    assert [each["name"] for each in told["inputs"]] == ["input_ids", "attention_mask", "token_type_ids"]
    assert told["outputs"] == [{"name": "logits", "type": "float32", "shape": ["batch", 2]}]
    assert told["opset"] == onnx.load(exported / "model.onnx").opset_import[0].version == 20
    assert (told["precision"], told["has_softmax"], told["logits_to_probabilities"]) == ("float32", False, "softmax")
    assert told["logit_difference_share"] <= 1e-4 and told["operators"]["MatMul"] > 10 and told["gate"] is None


def test_no_file_holds_a_stack_trace_or_a_local_path(exported: Path, home: Path, teacher: Path) -> None:
    assert {"config.json", "tokenizer.json", "model.onnx", MANIFEST, "README.md"} <= {
        f.name for f in exported.iterdir()
    }
    hidden = (home, teacher, Path.home(), Path.cwd(), "/tmp", "site-packages", "Traceback", ".py")
    for file in exported.iterdir():
        content = file.read_bytes()
        assert [each for each in hidden if str(each).encode() in content] == [], file.name


@pytest.mark.parametrize("name", ["roberta", "distilbert"])
def test_teachers_of_other_classes_are_exported_too(
    name: str, here: Workspace, tiny_bert: Path, tmp_path: Path
) -> None:
    summary = here.export_onnx(put_teacher(tmp_path / "teacher", name, tiny_bert, **LABELS), tmp_path / "onnx")
    assert summary.logit_difference_share <= 1e-4


@pytest.mark.parametrize(
    "config, expected",
    [
        ({"num_labels": 1}, "sigmoid"),
        ({"num_labels": 1, "problem_type": "regression"}, "none"),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, "sigmoid"),
    ],
)
def test_what_makes_probabilities_is_told_by_the_head(
    config: dict[str, Any], expected: str, here: Workspace, tiny_bert: Path, tmp_path: Path
) -> None:
    here.export_onnx(put_teacher(tmp_path / "teacher", "bert", tiny_bert, **config), tmp_path / "onnx")
    assert facts(tmp_path / "onnx")["logits_to_probabilities"] == expected


def test_a_masked_language_model_is_exported_and_judged(
    here: Workspace, sharp_roberta: Path, tmp_path: Path, real_text: list[str]
) -> None:
    here.export_onnx(sharp_roberta, tmp_path / "onnx")
    assert facts(tmp_path / "onnx")["outputs"][0]["shape"][:2] == ["batch", "sequence"]
    text = tmp_path / "text.txt"
    text.write_text("\n".join(each.replace("\n", " ") for each in real_text[:200]))
    report = here.evaluate([sharp_roberta, tmp_path / "onnx"], CorpusSpec(train=(str(text),)), teacher=sharp_roberta)
    [first, second] = report.models
    assert second.metrics["masked_lm_loss_nats"].value == pytest.approx(first.metrics["masked_lm_loss_nats"].value)
    assert first.metrics["agreement"].value == 1.0 and second.metrics["agreement"].value > 0.999


def test_a_file_that_says_something_else_is_not_kept(teacher: Path, exported: Path, tmp_path: Path) -> None:
    graph = onnx.load(exported / "model.onnx")
    weight = next(each for each in graph.graph.initializer if each.name.endswith("classifier.bias"))
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) + 1, weight.name))
    onnx.save(graph, tmp_path / "model.onnx")
    task = load_task("text_classification")
    with pytest.raises(ConflictError, match=r"logits differ from the model's by .* of the largest"):
        require_parity(task, task.load_teacher(teacher), task.load_tokenizer(exported), tmp_path / "model.onnx")


def test_an_export_is_judged_as_its_model(here: Workspace, exported: Path, teacher: Path, texts: CorpusSpec) -> None:
    report = here.evaluate([teacher, exported], texts, teacher=teacher)
    [first, second] = report.models
    assert second.metrics["loss_nats"].value == pytest.approx(first.metrics["loss_nats"].value, abs=1e-5)
    assert (second.lost, second.gained) == (0, 0)
    with pytest.raises(InvalidInputError, match="runs on the CPU"):
        load_classifier(exported).to(torch.device("meta"))  # type: ignore[arg-type]


def test_int8_that_loses_nothing_passes(here: Workspace, teacher: Path, texts: CorpusSpec, tmp_path: Path) -> None:
    with torch.no_grad():
        model = load_task("text_classification").load_teacher(teacher)
        model.classifier.bias.copy_(torch.tensor([9.0, -9.0]))
    model.save_pretrained(tmp_path / "sure")
    load_task("text_classification").load_tokenizer(teacher).save_pretrained(tmp_path / "sure")
    data = CorpusSpec(train=texts.train, columns=Columns(text="sentence"))
    summary = here.export_onnx(tmp_path / "sure", tmp_path / "onnx", quantization=Quantization(), data=data)
    assert summary.verdict is not None and summary.verdict.outcome == "passed"
    assert summary.precision == "int8" and summary.size_bytes < summary.float32_size_bytes
    told = facts(tmp_path / "onnx")
    assert told["operators"]["MatMulInteger"] == 2 * 6 + 2 and told["operators"]["DequantizeLinear"] == 3
    assert told["quantization"]["weight_bits"] == 7 and told["gate"]["outcome"] == "passed"
    assert "the gate passed" in (tmp_path / "onnx" / "README.md").read_text()


def put_divided(folder: Path, teacher: Path, texts: CorpusSpec) -> Path:
    """The teacher with a bias by which it gives each label to about half of the texts."""
    task = load_task("text_classification")
    model, tokenizer = task.load_teacher(teacher), task.load_tokenizer(teacher)
    with open(texts.train[0], newline="", encoding="utf8") as source:
        lines = [row["sentence"] for row in csv.DictReader(source)]
    with torch.no_grad():
        encoded = tokenizer(lines, padding=True, truncation=True, max_length=48, return_tensors="pt")
        model.classifier.bias -= model(**encoded).logits.median(dim=0).values
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_bad_quantisation_is_refused(
    here: Workspace, teacher: Path, texts: CorpusSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Static ranges that were measured on texts of one unusual kind do not hold for others."""
    from ose.workers import onnx_export

    def of_nothing_real(*_: Any) -> Any:
        ids = np.full((1, 4), 3, dtype=np.int64)
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}

    monkeypatch.setattr(onnx_export, "_calibration_batches", of_nothing_real)
    data = CorpusSpec(train=texts.train, columns=Columns(text="sentence"))
    static = Quantization(method="static")
    divided = put_divided(tmp_path / "divided", teacher, texts)
    summary = here.export_onnx(divided, tmp_path / "onnx", quantization=static, data=data, calibration=data)
    assert summary.verdict is not None and summary.verdict.outcome == "failed"
    assert summary.precision == "float32" and facts(tmp_path / "onnx")["quantization"] is None
    assert "float32 is kept" in (tmp_path / "onnx" / "README.md").read_text()


def test_a_jobs_student_has_its_jobs_text_and_card(teacher: Path, texts: CorpusSpec, tmp_path: Path) -> None:
    corpus = replace(texts, train=texts.train[:1], validation=texts.train[1:])
    job = Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(corpus=corpus, teacher=TeacherSpec(model=str(teacher))),
        spec_hash="5" * 64,
        teacher=facts_of(teacher),
        corpus=inspect_corpus(corpus, rows=True),
        created_at=NOW,
        teacher_quality=teacher_quality(num_targets=320),
        teacher_latency=latency(),
    )
    candidate = Candidate(
        id=1,
        job_id="job-1",
        number=3,
        status=CandidateStatus.SUCCEEDED,
        architecture=architecture(),
        hyperparameters=Hyperparameters(),
        num_steps=10,
        num_parameters=1000,
        num_encoder_parameters=800,
        flops=1,
        latency=latency(),
        evaluation=evaluation(),
    )
    distillation = Distillation(
        id=1,
        job_id="job-1",
        candidate_number=3,
        status=DistillationStatus.SUCCEEDED,
        spec=DistillationSpec(),
        folder=str(tmp_path),
        created_at=NOW,
        result=distillation_result(student_path=str(teacher)),
    )
    stored = SimpleNamespace(candidate=lambda *_: candidate, distillations=lambda _: [distillation])
    spec = Quantization(method="static", gate=0.5)
    request = request_of_job(cast("Store", stored), job, None, tmp_path / "onnx", spec, None, None)
    summary = run_onnx_export(request, Silence())
    assert summary.verdict is not None and summary.verdict.loss.num_items == 200
    card = (tmp_path / "onnx" / "README.md").read_text()
    assert "## How it was made" in card and "pipeline(" not in card and "onnxruntime.InferenceSession" in card
    told = json.loads((tmp_path / "onnx" / MANIFEST).read_text())
    assert told["student"]["num_parameters"] == 1000 and str(tmp_path) not in json.dumps(told)


def test_50_items_decide_nothing(here: Workspace, teacher: Path, texts: CorpusSpec, tmp_path: Path) -> None:
    data = first_rows(texts, 50, tmp_path / "few.csv")
    summary = here.export_onnx(teacher, tmp_path / "onnx", quantization=Quantization(gate=0.05), data=data)
    assert summary.verdict is not None and summary.verdict.outcome == "not decided"
    assert summary.precision == "float32" and summary.verdict.recalls.keys() == {"no", "yes"}
    assert "items would decide" in str(summary.verdict)


def test_a_gate_that_is_off_is_written_down(here: Workspace, teacher: Path, tmp_path: Path) -> None:
    spec = Quantization(gate=None, target="vnni", embeddings=False)
    summary = here.export_onnx(teacher, tmp_path / "onnx", quantization=spec)
    assert summary.precision == "int8" and facts(tmp_path / "onnx")["gate"] == "off"
    assert "the gate was off" in (tmp_path / "onnx" / "README.md").read_text()
    told = facts(tmp_path / "onnx")
    assert told["quantization"]["weight_bits"] == 8 and "DequantizeLinear" not in told["operators"]


def test_what_is_missing_is_told_before_anything_is_made(
    here: Workspace, teacher: Path, exported: Path, texts: CorpusSpec, tmp_path: Path
) -> None:
    output = tmp_path / "onnx"
    with pytest.raises(InvalidInputError, match="name some with --data FILE, or leave it out with --gate off"):
        here.export_onnx(teacher, output, quantization=Quantization())
    with pytest.raises(InvalidInputError, match="name some with --calibration FILE"):
        here.export_onnx(teacher, output, quantization=Quantization(method="static"), data=texts)
    with pytest.raises(InvalidInputError, match="is an ONNX export already"):
        here.export_onnx(exported, output)
    with pytest.raises(ConflictError, match="not empty"):
        here.export_onnx(teacher, exported)
    assert not output.exists()


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_without_the_extra_one_line_says_so(
    name: str, here: Workspace, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        DependencyError, match=rf"ONNX needs {name}, which is not installed here: pip install 'ose\[onnx\]'"
    ):
        here.export_onnx(teacher, tmp_path / "onnx")


def test_files_that_are_not_ours_or_too_new_are_refused_in_a_line(
    here: Workspace, exported: Path, texts: CorpusSpec, tmp_path: Path
) -> None:
    new = Path(shutil.copytree(exported, tmp_path / "new"))
    graph = onnx.load(new / "model.onnx")
    graph.opset_import[0].version = 99
    onnx.save(graph, new / "model.onnx")
    with pytest.raises(TeacherError, match=f"is newer than onnxruntime {onnxruntime.__version__} reads"):
        here.evaluate(new, texts)
    broken = Path(shutil.copytree(exported, tmp_path / "broken"))
    (broken / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(TeacherError, match="cannot be run by onnxruntime"):
        here.evaluate(broken, texts)
    (new / MANIFEST).unlink()
    with pytest.raises(TeacherError, match="is no export of OSE's"):
        here.evaluate(new, texts)
    with pytest.raises(TeacherError, match="is no export of OSE's"):
        here.latency(new)


@pytest.mark.processes
def test_an_export_is_timed_as_it_is(here: Workspace, exported: Path) -> None:
    protocol = LatencyProtocol(runtime="onnxruntime", sequence_length=16, seconds_per_shape=0.05)
    [found] = here.latency(exported, protocol)
    measured = found.latency
    assert measured.fingerprint.runtime == f"onnxruntime {onnxruntime.__version__}" and measured.p50_ms > 0
    with pytest.raises(JobFileError, match="runs by onnxruntime in float32, not by torch in float32"):
        here.latency(exported, LatencyProtocol())
    with pytest.raises(JobFileError, match="takes 48 tokens"):
        here.latency(exported, LatencyProtocol(runtime="onnxruntime", sequence_length=49))


@pytest.mark.processes
def test_models_are_put_beside_one_another(
    here: Workspace, exported: Path, teacher: Path, texts: CorpusSpec, tmp_path: Path
) -> None:
    protocol = LatencyProtocol(sequence_length=16, seconds_per_shape=0.05)
    found = here.compare([str(teacher), str(exported)], texts, protocol)
    first, second = found.models
    assert [(each.runtime, each.precision) for each in found.models] == [
        ("torch", "float32"),
        ("onnxruntime", "float32"),
    ]
    assert first.num_parameters == second.num_parameters > 1_000 and second.size_bytes > 4 * second.num_parameters
    assert second.metrics["accuracy"] == first.metrics["accuracy"] and second.share_kept == 1.0
    assert second.flipped_share == 0.0 and not second.is_different("accuracy")
    pytest.importorskip("matplotlib", reason="it is in the extra `report`")
    draw(found, tmp_path / "models.svg")
    assert "onnxruntime float32" in (tmp_path / "models.svg").read_text().replace("&#32;", " ")


def test_what_cannot_be_compared_is_one_line(here: Workspace, teacher: Path) -> None:
    with pytest.raises(InvalidInputError, match="is no directory; a distilled candidate is named as JOB:NUMBER"):
        here.compare([str(teacher), "nowhere"])
    with pytest.raises(NotFoundError):
        here.compare([str(teacher), "3f9c:1"])


def test_a_picture_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DependencyError, match=re.escape("pip install 'ose[report]'")):
        comparison.require_matplotlib()
