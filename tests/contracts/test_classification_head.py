"""The head of classifiers: what it costs, and that its parts are all of it.

Tests ose/families/bert/shape.py and ose/families/bert/model.py.
"""

from __future__ import annotations

import pytest
import torch
from builders import architecture
from classifiers import classifier, items
from torch.utils.flop_counter import FlopCounterMode
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedModel

from ose.core.architecture import EmbeddingShape
from ose.families.counts import FamilyCounts
from ose.families.models import parts_of
from ose.families.parts import attention_bias
from ose.families.registry import load_family

HEAD = "text_classification"


@pytest.fixture(params=["bert", "roberta"])
def teacher(request: pytest.FixtureRequest) -> PreTrainedModel:
    return classifier(str(request.param), num_labels=5)


@pytest.mark.parametrize("sizes", [(1, 1, 8, 8), (2, 2, 16, 24), (3, 4, 24, 10)], ids=str)
def test_parameters_and_operations_are_those_of_the_built_model(
    teacher: PreTrainedModel, sizes: tuple[int, ...]
) -> None:
    shape = architecture(*sizes)
    model = load_family("bert").build_student(teacher.config, shape, HEAD, seed=0)
    embedding = EmbeddingShape(vocab_size=40, max_position_embeddings=20, type_vocab_size=2, num_labels=5)
    counts, parts = FamilyCounts(embedding, HEAD), parts_of(model, HEAD)
    assert counts.parameters(shape).total == model.num_parameters()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        parts.head.run(torch.randn(6, 1, shape.hidden_size))
    assert counts.head_flops(shape, 6) == counter.get_total_flops()


def test_the_parts_together_are_the_model(teacher: PreTrainedModel) -> None:
    inputs, parts = items(teacher.config.model_type, 30).inputs(), parts_of(teacher, HEAD)
    with torch.no_grad():
        states, bias = parts.embeddings.run(**inputs), attention_bias(inputs)
        for block in parts.blocks:
            states = block.run(states, bias)
        torch.testing.assert_close(parts.head.run(states[:, :1])[:, 0], teacher(**inputs).logits)


def test_a_student_has_its_teachers_labels(teacher: PreTrainedModel) -> None:
    teacher.config.id2label = {0: "a", 1: "b", 2: "c", 3: "d", 4: "e"}
    teacher.config.problem_type = "multi_label_classification"
    student = load_family("bert").build_student(teacher.config, architecture(1, 1, 8, 8), HEAD, seed=0)
    assert student.config.id2label == teacher.config.id2label
    assert student.config.problem_type == "multi_label_classification"


def test_so_has_one_of_a_teacher_of_another_class() -> None:
    config = DistilBertConfig(vocab_size=40, n_layers=1, n_heads=2, dim=16, hidden_dim=24, id2label={0: "no", 1: "yes"})
    teacher = DistilBertForSequenceClassification(config)
    student = load_family("bert").build_student(teacher.config, architecture(1, 1, 8, 8), HEAD, seed=0)
    assert (type(student).__name__, student.config.id2label) == (
        "BertForSequenceClassification",
        {0: "no", 1: "yes"},
    )
