from dataclasses import replace
from pathlib import Path

import pytest

from ose.core.model_report import EvaluationQuestion
from ose.core.spec import CorpusSpec
from ose.errors import TeacherError
from ose.inputs.finetuning import inspect_evaluation
from ose.tasks.fill_mask.evaluation import evaluate


@pytest.fixture
def text(real_text: list[str], tmp_path: Path) -> CorpusSpec:
    file = tmp_path / "text.txt"
    file.write_text("\n".join(document.replace("\n", " ") for document in real_text[:30]))
    return CorpusSpec(train=(str(file),), sequence_length=16)


def question(text: CorpusSpec, *models: Path) -> EvaluationQuestion:
    task, asked = inspect_evaluation([str(each) for each in models], text, None, "cpu")
    assert task == "fill_mask"
    return asked


def test_all_of_the_text_is_judged_on_and_a_sharper_model_is_told_from_another(
    tiny_roberta: Path, sharp_roberta: Path, text: CorpusSpec
) -> None:
    report = evaluate(question(text, tiny_roberta, sharp_roberta))
    plain, sharp = report.models
    assert report.num_items > 100
    assert list(plain.metrics) == ["masked_lm_loss_nats", "masked_accuracy"]
    assert plain.metrics["masked_lm_loss_nats"].value == pytest.approx(5.86, abs=0.3)  # as of frequencies alone
    assert sharp.differences["masked_lm_loss_nats"].value == pytest.approx(
        sharp.metrics["masked_lm_loss_nats"].value - plain.metrics["masked_lm_loss_nats"].value
    )
    assert sharp.differences["masked_lm_loss_nats"].stderr > 0
    assert evaluate(question(text, tiny_roberta)).models[0].metrics == plain.metrics


def test_beside_a_teacher_the_share_of_the_same_answers_is_told(
    tiny_roberta: Path, sharp_roberta: Path, text: CorpusSpec
) -> None:
    asked = replace(question(text, tiny_roberta, sharp_roberta), teacher=str(sharp_roberta))
    plain, sharp = evaluate(asked).models
    assert plain.metrics["agreement"].value < sharp.metrics["agreement"].value == 1.0


def test_other_tokens_are_one_line(tiny_roberta: Path, tiny_bert: Path, text: CorpusSpec) -> None:
    with pytest.raises(TeacherError, match="has other tokens than"):
        evaluate(question(text, tiny_roberta, tiny_bert))
    with pytest.raises(TeacherError, match="has other tokens than"):
        evaluate(replace(question(text, tiny_roberta), teacher=str(tiny_bert)))
