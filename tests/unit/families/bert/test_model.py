from pathlib import Path

import pytest
import torch
from builders import architecture
from hypothesis import given, settings
from hypothesis import strategies as st
from models import masked_lm
from searches import facts_of

from ose.core.architecture import EmbeddingShape
from ose.families.bert.model import build_blank_student, build_student, student_config
from ose.families.counts import FamilyCounts, counts_of

SHAPE = architecture(3, 4, 24, 40)


@pytest.mark.parametrize("family", ["roberta", "bert", "distilbert"])
@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.integers(1, 40))
def test_a_student_has_the_parameters_of_the_closed_form(family: str, d: int, a: int, size: int, i: int) -> None:
    shape = architecture(d, a, a * size, i)
    teacher = masked_lm(family).config
    rows = {"roberta": 2, "bert": 2, "distilbert": 1}[family]
    expected = FamilyCounts(EmbeddingShape(vocab_size=40, max_position_embeddings=20, type_vocab_size=rows)).parameters(
        shape
    )
    student = build_student(teacher, shape, "fill_mask", seed=0)
    assert sum(p.numel() for p in student.parameters()) == expected.total
    assert sum(p.numel() for p in student.base_model.encoder.parameters()) == expected.encoder


@pytest.mark.parametrize("fixture", ["tiny_roberta", "tiny_bert"])
def test_the_closed_form_of_an_inspected_teacher_is_its_students(fixture: str, request: pytest.FixtureRequest) -> None:
    facts = facts_of(request.getfixturevalue(fixture))
    student = build_student(config_of(Path(facts.path)), SHAPE, "fill_mask", seed=0)
    assert sum(p.numel() for p in student.parameters()) == counts_of(facts).parameters(SHAPE).total


def config_of(folder: Path) -> object:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder)


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before() -> None:
    teacher = masked_lm("roberta").config
    first = build_student(teacher, SHAPE, "fill_mask", seed=3).state_dict()
    torch.rand(7)
    again, other = (build_student(teacher, SHAPE, "fill_mask", seed=seed).state_dict() for seed in (3, 4))
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
    assert not torch.equal(first["lm_head.dense.weight"], other["lm_head.dense.weight"])


@pytest.mark.parametrize("family", ["roberta", "bert"])
def test_a_blank_student_has_the_same_parts_tied_the_same(family: str) -> None:
    teacher = masked_lm(family).config
    blank, random = (
        build_blank_student(teacher, SHAPE, "fill_mask", "cpu"),
        build_student(teacher, SHAPE, "fill_mask", seed=0),
    )
    assert [(n, p.shape, p.dtype) for n, p in blank.named_parameters()] == [
        (n, p.shape, p.dtype) for n, p in random.named_parameters()
    ]
    assert blank.get_output_embeddings().weight is blank.get_input_embeddings().weight
    assert not blank.training
    again = build_student(teacher, SHAPE, "fill_mask", seed=0)  # building a blank one has left nothing behind
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), random.parameters(), strict=True))


def test_the_callers_random_state_is_left_alone() -> None:
    teacher = masked_lm("roberta").config
    before = torch.get_rng_state()
    build_student(teacher, SHAPE, "fill_mask", seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_teachers_configuration_is_left_alone() -> None:
    teacher = masked_lm("bert").config
    before = teacher.to_dict()
    student_config(teacher, SHAPE)
    assert teacher.to_dict() == before


def test_a_student_is_ready_for_training_without_dropout() -> None:
    student = build_student(masked_lm("roberta").config, SHAPE, "fill_mask", seed=0)
    assert not student.training
    assert all(parameter.requires_grad for parameter in student.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in student.parameters())


def test_a_teacher_stored_in_half_precision_has_students_in_single() -> None:
    teacher = masked_lm("roberta").config
    teacher.dtype = torch.float16
    assert build_student(teacher, SHAPE, "fill_mask", seed=0).dtype == torch.float32


@pytest.mark.parametrize(("family", "student_class"), [("roberta", "RobertaForMaskedLM"), ("bert", "BertForMaskedLM")])
def test_a_student_is_of_its_teachers_class(family: str, student_class: str) -> None:
    assert type(build_student(masked_lm(family).config, SHAPE, "fill_mask", seed=0)).__name__ == student_class


def test_a_teacher_of_another_class_teaches_a_bert() -> None:
    teacher = masked_lm("distilbert")
    student = build_student(teacher.config, SHAPE, "fill_mask", seed=0)
    input_ids = torch.randint(5, 40, (2, 20))
    assert type(student).__name__ == "BertForMaskedLM"
    with torch.no_grad():
        assert student(input_ids=input_ids).logits.shape == teacher(input_ids=input_ids).logits.shape


def test_a_teacher_of_another_class_keeps_its_rows_of_token_types() -> None:
    from transformers import ElectraConfig

    teacher = ElectraConfig(vocab_size=40, max_position_embeddings=20, type_vocab_size=2)
    assert student_config(teacher, SHAPE).type_vocab_size == 2
