from dataclasses import replace

import pytest
import torch
from classifiers import items

from ose.errors import NonFiniteLossError
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.quality import quality_of_logits

TEXTS = items("bert", 40)


def logits(kind: Kind, seed: int = 0, size: float = 1.0) -> torch.Tensor:
    width = 1 if kind == "one_logit" else 3
    return size * torch.randn(40, width, generator=torch.Generator().manual_seed(seed))


def test_without_labels_the_teachers_distribution_is_held_against_and_not_its_first_choice() -> None:
    student = logits("single_label", 1)
    teachers = [logits("single_label", 0, size) for size in (4, 1)]
    sure, unsure = (quality_of_logits(student, each, TEXTS, "single_label") for each in teachers)
    assert sure.metrics == unsure.metrics and set(sure.metrics) == {"agreement"}
    assert abs(sure.loss_nats - unsure.loss_nats) > 0.05


def test_with_labels_the_first_metric_is_of_the_labels() -> None:
    labelled = replace(TEXTS, labels=torch.arange(40) % 3)
    found = quality_of_logits(logits("single_label", 1), logits("single_label"), labelled, "single_label")
    assert list(found.metrics) == ["accuracy", "macro_f1", "matthews", "agreement"]
    several = replace(TEXTS, labels=(logits("multi_label", 5) > 0).float())
    found = quality_of_logits(logits("multi_label", 1), logits("multi_label"), several, "multi_label")
    assert next(iter(found.metrics)) == "micro_f1"


def test_pairs_that_share_a_query_are_ranked() -> None:
    ranked = replace(TEXTS, labels=(torch.arange(40) % 4 == 0).float(), queries=torch.arange(40) // 4)
    found = quality_of_logits(logits("one_logit", 1), logits("one_logit"), ranked, "one_logit")
    assert next(iter(found.metrics)) == "ndcg_at_10" and found.flips == ()


def test_the_loss_of_one_logit_is_the_share_of_variance_that_is_lost() -> None:
    teacher = logits("one_logit")
    mean = teacher.mean().expand_as(teacher)
    assert quality_of_logits(mean, teacher, TEXTS, "one_logit").loss_nats == pytest.approx(39 / 40)
    assert quality_of_logits(teacher, teacher, TEXTS, "one_logit").loss_nats == 0


@pytest.mark.parametrize("kind", ["single_label", "multi_label"])
def test_flips_are_told_beside_the_agreement(kind: Kind) -> None:
    found = quality_of_logits(logits(kind, 1), logits(kind), TEXTS, kind)
    assert [each.label for each in found.flips] == [0, 1, 2]
    num_flipped = sum(each.num_flipped for each in found.flips)
    assert num_flipped > 0
    if kind == "single_label":
        assert num_flipped == round(40 * (1 - found.metrics["agreement"].value))
        assert sum(each.num_items for each in found.flips) == 40


def test_one_answer_that_is_no_number_is_told() -> None:
    broken = logits("single_label", 1)
    broken[7, 1] = float("nan")
    with pytest.raises(NonFiniteLossError):
        quality_of_logits(broken, logits("single_label"), TEXTS, "single_label")
