"""Covers ose/tasks/text_classification/label_scores.py."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from labelled import corpus_of, lines_of, write_table
from scipy import stats
from sklearn import metrics as official
from torch.nn import functional as F
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from ose.core.model_report import EvaluationQuestion, EvaluationReport
from ose.core.spec import Columns, CorpusSpec
from ose.errors import CorpusError, InvalidInputError, TeacherError
from ose.inputs.finetuning import inspect_evaluation
from ose.tasks.text_classification.evaluation import evaluate

NAMES = ("no", "yes", "unsure")


def asked(corpus: CorpusSpec, *models: Path, teacher: Path | None = None) -> EvaluationReport:
    named = None if teacher is None else str(teacher)
    task, question = inspect_evaluation([str(each) for each in models], corpus, named, "cpu")
    assert task == "text_classification"
    return evaluate(at_length(question, 32))


def at_length(question: EvaluationQuestion, length: int) -> EvaluationQuestion:
    return replace(question, corpus_spec=replace(question.corpus_spec, sequence_length=length))


@pytest.fixture
def lines(real_text: list[str]) -> list[str]:
    return lines_of(real_text, 90)


@pytest.fixture
def table(lines: list[str], tmp_path: Path) -> Path:
    rows = [(line, NAMES[len(line) % 2] if index else "unsure") for index, line in enumerate(lines)]
    return write_table(tmp_path / "dev.csv", rows)


@pytest.fixture
def other(tiny_classifier: Path, tmp_path: Path) -> Callable[..., Path]:
    """The same model with its weights changed, its configuration, or the order of its labels."""

    def make(name: str, *, by: float = 0.0, order: tuple[int, ...] = (0, 1, 2), **changes: object) -> Path:
        model = AutoModelForSequenceClassification.from_pretrained(tiny_classifier)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(by * torch.randn(weight.shape, generator=generator))
            last = model.classifier.out_proj
            last.weight.copy_(last.weight[list(order)])
            last.bias.copy_(last.bias[list(order)])
        model.config.id2label = {place: NAMES[index] for place, index in enumerate(order)}
        model.config.label2id = {name: place for place, name in model.config.id2label.items()}
        for key, value in changes.items():
            setattr(model.config, key, value)
        model.save_pretrained(tmp_path / name)
        AutoTokenizer.from_pretrained(tiny_classifier).save_pretrained(tmp_path / name)
        return tmp_path / name

    return make


def logits_of(folder: Path, lines: list[str]) -> torch.Tensor:
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(lines, padding=True, truncation=True, max_length=32, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**encoded).logits.double()


def test_figures_are_those_of_scikit_learn_on_what_transformers_say(
    tiny_classifier: Path, table: Path, lines: list[str]
) -> None:
    report = asked(corpus_of(table), tiny_classifier)
    logits = logits_of(tiny_classifier, lines)
    said = logits.argmax(-1).numpy()
    true = np.array([NAMES.index(row.rsplit(",", 1)[1]) for row in table.read_text().splitlines()[1:]])
    [model] = report.models
    expected = {
        "accuracy": official.accuracy_score(true, said),
        "macro_f1": official.f1_score(true, said, average="macro"),
        "matthews": official.matthews_corrcoef(true, said),
        "loss_nats": F.cross_entropy(logits, torch.from_numpy(true)).item(),
    }
    assert {name: each.value for name, each in model.metrics.items()} == pytest.approx(expected, abs=1e-5)
    assert next(iter(model.metrics)) == "accuracy"
    precision, recall, _, counts = official.precision_recall_fscore_support(
        true, said, labels=[0, 1, 2], zero_division=0
    )
    for index, each in enumerate(model.labels):
        assert (each.label, each.num_items) == (NAMES[index], counts[index])
        assert each.recall.value == pytest.approx(recall[index])
        assert each.precision is None or each.precision.value == pytest.approx(precision[index])
    assert (report.num_items, report.labels_without_example) == (90, ())


@pytest.mark.slow
def test_a_teacher_with_another_order_of_labels_is_held_against_by_name(
    tiny_classifier: Path, table: Path, other: Callable[..., Path]
) -> None:
    turned = other("turned", order=(2, 0, 1))
    [model] = asked(corpus_of(table), tiny_classifier, teacher=turned).models
    assert model.metrics["agreement"].value == 1.0
    assert model.metrics["divergence_nats"].value == pytest.approx(0, abs=1e-6)
    assert all(flip.num_flipped == 0 and flip.most_often is None for flip in model.flips)
    assert asked(corpus_of(table), turned).models[0].metrics == pytest.approx(
        asked(corpus_of(table), tiny_classifier).models[0].metrics
    )


def test_flips_are_told_by_the_teachers_label(
    tiny_classifier: Path, table: Path, other: Callable[..., Path], lines: list[str]
) -> None:
    changed = other("changed", by=0.3)
    [model] = asked(corpus_of(table), changed, teacher=tiny_classifier).models
    said, expected = (logits_of(folder, lines).argmax(-1) for folder in (changed, tiny_classifier))
    assert 0 < model.metrics["agreement"].value < 1
    for flip in model.flips:
        rows = expected == NAMES.index(flip.label)
        assert flip.num_items == int(rows.sum())
        assert flip.num_flipped == int((said[rows] != expected[rows]).sum())


def test_of_several_labels_at_once_flips_are_those_that_are_left_out(
    table: Path, other: Callable[..., Path], lines: list[str]
) -> None:
    kind = {"problem_type": "multi_label_classification"}
    teacher, changed = other("teacher", **kind), other("changed", by=0.3, **kind)
    unlabelled = replace(corpus_of(table), columns=Columns(text="sentence"))
    [model] = asked(unlabelled, changed, teacher=teacher).models
    said, expected = (logits_of(folder, lines) > 0 for folder in (changed, teacher))
    assert {flip.label for flip in model.flips} == {NAMES[index] for index in range(3) if expected[:, index].any()}
    for flip in model.flips:
        rows = expected[:, NAMES.index(flip.label)]
        assert flip.num_items == int(rows.sum())
        assert flip.num_flipped == int((~said[rows, NAMES.index(flip.label)]).sum())


@pytest.mark.slow
def test_models_are_compared_with_the_first_in_pairs(
    tiny_classifier: Path, table: Path, other: Callable[..., Path], lines: list[str]
) -> None:
    changed = other("changed", by=0.3)
    first, same, second = asked(corpus_of(table), tiny_classifier, tiny_classifier, changed).models
    assert first.differences == {}
    assert {(each.value, each.stderr) for each in same.differences.values()} == {(0.0, 0.0)}
    assert second.differences.keys() == first.metrics.keys()
    for name, each in second.differences.items():
        assert each.value == pytest.approx(second.metrics[name].value - first.metrics[name].value)
    true = torch.tensor([NAMES.index(row.rsplit(",", 1)[1]) for row in table.read_text().splitlines()[1:]])
    losses = [F.cross_entropy(logits_of(each, lines), true, reduction="none") for each in (changed, tiny_classifier)]
    expected = (losses[0] - losses[1]).std() / 90**0.5
    assert second.differences["loss_nats"].stderr == pytest.approx(expected.item(), rel=1e-3)


def test_without_labels_a_teacher_is_all_there_is(tiny_classifier: Path, table: Path) -> None:
    unlabelled = replace(corpus_of(table), columns=Columns(text="sentence"))
    [model] = asked(unlabelled, tiny_classifier, teacher=tiny_classifier).models
    assert list(model.metrics) == ["agreement", "divergence_nats"]
    with pytest.raises(InvalidInputError, match=r"name a column with --label"):
        asked(unlabelled, tiny_classifier)


def test_a_regression_is_judged_as_scipy_does(
    tiny_classifier: Path, other: Callable[..., Path], lines: list[str], tmp_path: Path
) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny_classifier, num_labels=1, problem_type="regression", ignore_mismatched_sizes=True
    )
    model.save_pretrained(tmp_path / "one")
    AutoTokenizer.from_pretrained(tiny_classifier).save_pretrained(tmp_path / "one")
    truths = [len(line) / 10 for line in lines]
    table = write_table(tmp_path / "dev.csv", list(zip(lines, truths, strict=True)))
    [found] = asked(corpus_of(table), tmp_path / "one").models
    scores = logits_of(tmp_path / "one", lines)[:, 0].numpy()
    assert found.metrics["pearson"].value == pytest.approx(stats.pearsonr(scores, truths).statistic, abs=1e-5)
    assert found.metrics["spearman"].value == pytest.approx(stats.spearmanr(scores, truths).statistic, abs=1e-5)
    assert found.metrics["squared_error"].value == pytest.approx(np.square(scores - truths).mean(), rel=1e-4)
    assert found.labels == ()


def test_several_labels_at_once(
    tiny_classifier: Path, other: Callable[..., Path], lines: list[str], tmp_path: Path
) -> None:
    several = other("several", problem_type="multi_label_classification")
    truths = [[int(len(line) % 2), int(len(line) % 3 == 0), 0] for line in lines]
    table = write_table(tmp_path / "dev.csv", [(line, str(each)) for line, each in zip(lines, truths, strict=True)])
    report = asked(corpus_of(table), several)
    logits = logits_of(several, lines)
    [found] = report.models
    assert report.labels_without_example == ("unsure",)
    expected = F.binary_cross_entropy_with_logits(logits, torch.tensor(truths).double()).item()
    assert found.metrics["loss_nats"].value == pytest.approx(expected, abs=1e-5)
    said = (logits > 0).numpy()
    assert found.metrics["micro_f1"].value == pytest.approx(official.f1_score(truths, said, average="micro"))


@pytest.mark.parametrize(
    ("label", "said"),
    [("yess", r"odd.csv, line 3: .* label 'yess'; did you mean 'yes'\?"), ("3", "line 3: the label '3' is no id")],
)
def test_an_unknown_label_is_one_line_with_its_place(
    label: str, said: str, tiny_classifier: Path, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "odd.csv", [("a text", "yes"), ("another", label)])
    with pytest.raises(CorpusError, match=said):
        asked(corpus_of(table), tiny_classifier)


@pytest.mark.slow
def test_models_that_cannot_be_compared_are_one_line(
    tiny_classifier: Path, tiny_roberta: Path, table: Path, other: Callable[..., Path]
) -> None:
    renamed = other("renamed", id2label={0: "no", 1: "yes", 2: "dunno"}, label2id={"no": 0, "yes": 1, "dunno": 2})
    unlabelled = replace(corpus_of(table), columns=Columns(text="sentence"))
    with pytest.raises(TeacherError, match=r"other labels than .*: only one of them has 'dunno'"):
        asked(unlabelled, renamed, teacher=tiny_classifier)
    with pytest.raises(TeacherError, match=r"is of the kind multi_label"):
        asked(unlabelled, tiny_classifier, other("m", problem_type="multi_label_classification"), teacher=renamed)
    with pytest.raises(TeacherError, match=r"does fill_mask"):
        asked(unlabelled, tiny_classifier, tiny_roberta)
