import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import architecture
from classifiers import put_pairs, put_teacher
from safetensors.torch import load_file, save_file
from searches import LEADING, data_task, evaluate_task, facts_of, targets_tasks

from ose.core.measurement import TeacherQuality
from ose.core.messages import DataRequest
from ose.data.unchanged import corpus_digest
from ose.distillation.candidate_evaluation import evaluate_candidate
from ose.errors import CorpusError
from ose.extraction.initial import Start, initial_student
from ose.tasks.judging import held_out_quality
from ose.tasks.registry import load_task
from ose.tasks.text_classification.search_data import compute_targets, load_search_data, prepare_data
from ose.tasks.text_classification.teacher import load_classifier

TASK = load_task("text_classification")
SMALL = architecture(1, 2, 16, 24)
KINDS: dict[str, dict[str, Any]] = {
    "single_label": {"id2label": {0: "no", 1: "yes", 2: "unsure"}},
    "multi_label": {"id2label": {0: "no", 1: "yes"}, "problem_type": "multi_label_classification"},
    "one_logit": {"num_labels": 1},
}
LABELS = {"single_label": ("no", "yes"), "multi_label": ("no", "yes"), "one_logit": ("0", "1")}


def filled(request: DataRequest) -> TeacherQuality:
    summary, teacher = prepare_data(request), load_classifier(request.teacher.path)
    [quality, *_] = [compute_targets(each, teacher) for each in targets_tasks(request, summary.num_sequences)]
    assert quality is not None
    return quality


def search(
    folder: Path, kind: str, tiny_bert: Path, texts: list[str], name: str = "bert", **columns: Any
) -> DataRequest:
    teacher = put_teacher(folder / "teacher", name, tiny_bert, **KINDS[kind])
    spec, corpus = put_pairs(folder, texts, LABELS[kind])
    spec = replace(spec, columns=replace(spec.columns, **columns))
    return data_task(folder / "data", teacher, corpus, corpus_spec=spec)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", "roberta"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_teachers_own_shape_gives_the_teacher_back(
    kind: str, name: str, tiny_bert: Path, real_text: list[str], tmp_path: Path
) -> None:
    request = search(tmp_path, kind, tiny_bert, real_text, name)
    quality, teacher = filled(request), load_classifier(request.teacher.path)
    start = Start(initialization="inherit", inheritance=LEADING, seed=0, calibration=None, task="text_classification")
    student, data = (
        initial_student(teacher, request.teacher.architecture, start),
        load_search_data(Path(request.folder)),
    )
    assert student.config.num_labels == teacher.config.num_labels and data.kind == kind
    inputs = data.held_out.inputs()
    with torch.no_grad():
        torch.testing.assert_close(student(**inputs).logits, teacher(**inputs).logits, atol=1e-5, rtol=0)
    itself = held_out_quality(TASK, student, data)
    assert itself.sequence_losses_nats == pytest.approx(quality.sequence_entropies_nats, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_with_labels_and_without_the_same_losses_are_ranked_by(
    kind: str, tiny_bert: Path, real_text: list[str], tmp_path: Path
) -> None:
    labelled = search(tmp_path / "with", kind, tiny_bert, real_text)
    alone = search(tmp_path / "without", kind, tiny_bert, real_text, label=None)
    qualities = [filled(each) for each in (labelled, alone)]
    assert qualities[0].sequence_entropies_nats == qualities[1].sequence_entropies_nats
    assert len(qualities[0].metrics) > len(qualities[1].metrics) > 0


def with_head(request: DataRequest, folder: Path, change: Callable[[torch.Tensor, str], torch.Tensor]) -> DataRequest:
    """The same search of a teacher whose last layer is another one."""
    file = Path(request.teacher.path) / "model.safetensors"
    stored = load_file(file)
    changed = {name: change(each, name) if name.startswith("classifier.") else each for name, each in stored.items()}
    save_file(changed, file, {"format": "pt"})
    return replace(request, folder=str(folder), teacher=facts_of(Path(request.teacher.path)))


def of_several_minds(folder: Path, tiny_bert: Path, texts: list[str]) -> DataRequest:
    """A search without labels whose teacher gives each of its labels to some text."""
    request = search(folder, "single_label", tiny_bert, texts, label=None)
    filled(request)
    mean = load_search_data(Path(request.folder)).held_out_logits.mean(0)
    return with_head(
        request, folder / "centred", lambda each, name: 30 * (each - mean if name.endswith("bias") else each)
    )


@pytest.mark.slow
def test_teachers_of_equal_first_choices_and_other_confidence_make_other_students(
    tiny_bert: Path, real_text: list[str], tmp_path: Path
) -> None:
    request, found, choices = of_several_minds(tmp_path, tiny_bert, real_text), [], []
    for size in (1.0, 0.2):
        request = with_head(request, tmp_path / str(size), lambda each, _, size=size: size * each)
        filled(request)
        data, teacher = load_search_data(Path(request.folder)), load_classifier(request.teacher.path)
        choices.append(data.held_out_logits.argmax(1))
        asked = evaluate_task(request, SMALL, initialization="random", num_steps=6)
        found.append(evaluate_candidate(asked, teacher, data))
    assert torch.equal(*choices) and len(choices[0].unique()) > 1
    assert found[0].sequence_losses_nats != found[1].sequence_losses_nats
    assert found[0].training_losses_nats != found[1].training_losses_nats


@pytest.mark.slow
def test_numbers_that_are_another_models_ids_are_refused(tiny_bert: Path, real_text: list[str], tmp_path: Path) -> None:
    request = replace(of_several_minds(tmp_path, tiny_bert, real_text), held_out_sequences=60)
    filled(request)
    held_out = load_search_data(Path(request.folder)).held_out
    said = load_search_data(Path(request.folder)).held_out_logits.argmax(1)
    for shift, is_refused in ((0, False), (1, True)):
        replace(held_out, labels=(said + shift) % 3).save(Path(request.folder) / "validation.safetensors")
        for stored in ("held-out.npy", "teacher.json"):
            (Path(request.folder) / stored).unlink()
        with pytest.raises(CorpusError, match="order") if is_refused else nullcontext():
            filled(request)


def test_too_few_held_out_items_are_refused(tiny_bert: Path, real_text: list[str], tmp_path: Path) -> None:
    request = search(tmp_path, "single_label", tiny_bert, real_text)
    held_out = Path(request.corpus_spec.validation[0])
    held_out.write_text("".join(held_out.read_text().splitlines(keepends=True)[:3]))
    few = replace(request, corpus=replace(request.corpus, digest=corpus_digest(request.corpus)))
    with pytest.raises(CorpusError, match="there are only 3 held-out items; at least 8 are needed"):
        prepare_data(few)


def test_what_is_told_of_the_corpus_lies_in_the_folder(tiny_bert: Path, real_text: list[str], tmp_path: Path) -> None:
    request = search(tmp_path, "single_label", tiny_bert, real_text)
    prepare_data(request)
    told = json.loads((Path(request.folder) / "data.json").read_text())
    assert told["kind"] == "single_label" and told["train"]["count"] == 40
    assert 0 < told["train"]["cut"] < 1 and told["validation"]["count"] == 12


@pytest.mark.parametrize(("problem_type", "threshold"), [("regression", 0.5), (None, 0.0)])
def test_a_regression_to_0_and_1_says_1_above_the_half_and_a_logit_above_0(
    problem_type: str | None, threshold: float, tiny_bert: Path, real_text: list[str], tmp_path: Path
) -> None:
    teacher = put_teacher(tmp_path / "teacher", "bert", tiny_bert, num_labels=1, problem_type=problem_type)
    spec, corpus = put_pairs(tmp_path, real_text, LABELS["one_logit"])
    spec = replace(spec, columns=replace(spec.columns, query_id=None))
    request = data_task(tmp_path / "data", teacher, corpus, corpus_spec=spec)
    quality, data = filled(request), load_search_data(Path(request.folder))
    assert data.threshold == threshold and data.held_out.labels is not None
    logits = data.held_out_logits[:, 0]
    wanted = ((logits > threshold) == data.held_out.labels.bool()).double().mean()
    assert quality.metrics["accuracy"].value == pytest.approx(wanted.item())
    middle = (logits - logits.mean() + 0.25)[:, None]  # of some it is decided by the threshold
    judged = TASK.quality_of(middle, data).metrics["accuracy"].value
    assert judged == pytest.approx(((middle[:, 0] > threshold) == data.held_out.labels.bool()).double().mean().item())
