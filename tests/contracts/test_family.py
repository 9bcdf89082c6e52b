"""What every family has to keep: the one there is, and one that only tests know.

Covers ose/families/base.py, ose/families/models.py, ose/families/parts.py, ose/families/registry.py.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from itertools import pairwise, product
from pathlib import Path

import pytest
import torch
from builders import architecture
from families import MODEL_TYPES, know_distilbert, teacher_of
from searches import LEADING, facts_of
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.inheritance import InheritanceSpec
from ose.errors import InvalidInputError, TeacherError
from ose.extraction.calibration import measure_calibration
from ose.extraction.initial import Start, initial_student
from ose.families.attention import kept_attention
from ose.families.counts import FamilyCounts
from ose.families.models import architecture_of, parts_of
from ose.families.parts import run_block
from ose.families.registry import FAMILIES, family_of_students, known_family, load_family, load_shape
from ose.tasks.fill_mask.masking import MaskedBatch

INPUT_IDS = torch.randint(5, 40, (6, 14), generator=torch.Generator().manual_seed(0))
TEXT = torch.randint(5, 40, (100, 14), generator=torch.Generator().manual_seed(1))
POSITIONS = torch.tensor([[1, 4, 9]]).expand(100, 3)
SAMPLE = MaskedBatch(TEXT, POSITIONS, TEXT.gather(1, POSITIONS))
SIZES = [(1, 1, 8, 8), (2, 2, 16, 24), (3, 4, 24, 10)]
TEACHER = (3, 4, 32, 48)
HEAD = "fill_mask"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    know_distilbert(monkeypatch)


@pytest.fixture(params=MODEL_TYPES)
def model_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def teacher(model_type: str) -> PreTrainedModel:
    return teacher_of(model_type, *TEACHER)


def shape_of(model_type: str, *sizes: int) -> Architecture:
    return dataclasses.replace(architecture(*sizes), family=MODEL_TYPES[model_type])


def counts_of(teacher: PreTrainedModel) -> FamilyCounts:
    rows = getattr(teacher.config, "type_vocab_size", 1)
    embedding = EmbeddingShape(vocab_size=40, max_position_embeddings=20, type_vocab_size=rows)
    return FamilyCounts(embedding, HEAD, family_of_students(teacher.config.model_type))


def built(teacher: PreTrainedModel, shape: Architecture, seed: int = 0) -> PreTrainedModel:
    return load_family(shape.family).build_student(teacher.config, shape, HEAD, seed)


def start(spec: InheritanceSpec, teacher: PreTrainedModel | None = None) -> Start:
    calibration = None if teacher is None else measure_calibration(teacher.requires_grad_(False), SAMPLE, HEAD)
    return Start(initialization="inherit", inheritance=spec, seed=0, calibration=calibration, task=HEAD)


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=INPUT_IDS).logits


def num_weights(modules: object) -> int:
    unique = {id(weight): weight for module in modules for weight in module.parameters()}  # type: ignore[attr-defined]
    return sum(weight.numel() for weight in unique.values())


def test_every_family_of_the_table_is_held_to_this_contract() -> None:
    assert set(MODEL_TYPES.values()) == set(FAMILIES)


def test_a_model_type_names_its_family(model_type: str) -> None:
    assert known_family(model_type) == family_of_students(model_type) == MODEL_TYPES[model_type]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_parameters_are_those_of_the_built_model(teacher: PreTrainedModel, model_type: str, sizes: tuple[int, ...]):
    shape = shape_of(model_type, *sizes)
    model, counted = built(teacher, shape), counts_of(teacher).parameters(shape)
    parts = parts_of(model, HEAD)
    assert counted.total == sum(weight.numel() for weight in model.parameters())
    assert counted.embeddings == num_weights(parts.embeddings.modules())
    assert counted.encoder == num_weights(module for block in parts.blocks for module in block.modules())


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_operations_are_what_torch_counts(teacher: PreTrainedModel, model_type: str, sizes: tuple[int, ...]):
    teacher.config._attn_implementation = "eager"  # torch's counter knows its matrix products
    shape, counts = shape_of(model_type, *sizes), counts_of(teacher)
    parts = parts_of(built(teacher, shape), HEAD)
    with torch.no_grad(), FlopCounterMode(display=False) as encoder:
        states = parts.embeddings.run(input_ids=INPUT_IDS)
        for block in parts.blocks:
            states = block.run(states)
    with torch.no_grad(), FlopCounterMode(display=False) as head:
        parts.head.run(states[:, :5])
    assert counts.flops(shape, 14, 6) == encoder.get_total_flops()
    assert counts.head_flops(shape, 6 * 5) == head.get_total_flops()


def test_queries_keys_and_values_are_heard_by_the_names_of_parts(teacher: PreTrainedModel) -> None:
    with torch.no_grad():
        with kept_attention(teacher, HEAD, -1) as heard:
            logits(teacher)
        block = parts_of(teacher, HEAD).blocks[-1]
        before = teacher(input_ids=INPUT_IDS, output_hidden_states=True).hidden_states[-2]
        for found, matrix in zip(heard, (block.query, block.key, block.value), strict=True):
            torch.testing.assert_close(found, matrix(before))


def test_parameters_and_operations_rise_and_are_linear_in_depth_and_neurons(
    teacher: PreTrainedModel, model_type: str
) -> None:
    counts = counts_of(teacher)

    def cost(d: int, h: int, i: int) -> tuple[int, int]:
        shape = shape_of(model_type, d, 1, h, i)
        return counts.parameters(shape).total, counts.flops(shape, 14)

    for h, which in product((8, 16, 32), (0, 1)):
        by_depth = [cost(d, h, 10)[which] for d in (1, 2, 3)]
        by_neurons = [cost(2, h, i)[which] for i in (10, 20, 30)]
        for values in (by_depth, by_neurons):
            first, second = (after - before for before, after in pairwise(values))
            assert first == second > 0
    assert all(a < b for a, b in zip(cost(2, 8, 10), cost(2, 16, 10), strict=True))


def test_a_student_has_the_sizes_asked_for_and_is_ready_to_train(teacher: PreTrainedModel, model_type: str) -> None:
    shape, before = shape_of(model_type, 2, 2, 16, 24), torch.get_rng_state()
    student = built(teacher, shape)
    assert architecture_of(student) == shape
    assert torch.equal(torch.get_rng_state(), before)
    assert not student.training
    assert {(weight.dtype, weight.requires_grad) for weight in student.parameters()} == {(torch.float32, True)}


def test_the_seed_decides_a_students_weights(teacher: PreTrainedModel, model_type: str) -> None:
    shape = shape_of(model_type, 2, 2, 16, 24)
    first, again, other = (logits(built(teacher, shape, seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_blank_student_has_the_same_parts(teacher: PreTrainedModel, model_type: str) -> None:
    shape = shape_of(model_type, 2, 2, 16, 24)
    blank = load_family(shape.family).build_blank_student(teacher.config, shape, HEAD, "cpu")
    assert [(name, weight.shape) for name, weight in blank.named_parameters()] == [
        (name, weight.shape) for name, weight in built(teacher, shape).named_parameters()
    ]
    assert not blank.training


def test_the_parts_together_are_the_model(teacher: PreTrainedModel) -> None:
    parts = parts_of(teacher, HEAD)
    with torch.no_grad():
        states = parts.embeddings.run(input_ids=INPUT_IDS)
        for block in parts.blocks:
            torch.testing.assert_close(run_block(block, states).output, block.run(states))
            states = block.run(states)
        torch.testing.assert_close(parts.head.run(states), logits(teacher))
        by_parts = parts.head.output(parts.head.norm(parts.head.activation(parts.head.dense(states))))
        torch.testing.assert_close(by_parts, logits(teacher))


def test_a_parameter_that_no_part_names_is_an_error(teacher: PreTrainedModel) -> None:
    teacher.base_model.embeddings.gate = nn.Parameter(torch.ones(3))
    with pytest.raises(TeacherError, match=r"does not know what .*embeddings\.gate is in a .*ForMaskedLM"):
        initial_student(teacher, architecture_of(teacher), start(LEADING))


def test_with_the_teachers_own_shape_the_student_is_the_teacher(teacher: PreTrainedModel) -> None:
    student = initial_student(teacher, architecture_of(teacher), start(LEADING))
    weights = dict(student.named_parameters())
    assert all(torch.equal(weights[name], weight) for name, weight in teacher.named_parameters())


def test_leaving_out_what_nobody_reads_changes_nothing(teacher: PreTrainedModel, model_type: str) -> None:
    with torch.no_grad():
        for block in parts_of(teacher, HEAD).blocks:
            block.output.weight[:, 20:] = 0
    student = initial_student(teacher, shape_of(model_type, 3, 4, 32, 20), start(LEADING))
    torch.testing.assert_close(logits(student), logits(teacher), rtol=0, atol=1e-5)


def test_every_weight_is_written(teacher: PreTrainedModel, model_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = load_family(MODEL_TYPES[model_type])
    build = family.build_blank_student

    def without_values(*arguments: object) -> PreTrainedModel:
        student = build(*arguments)  # type: ignore[arg-type]
        for weight in student.parameters():
            weight.data.fill_(torch.nan)
        return student

    monkeypatch.setattr(family, "build_blank_student", without_values)
    student = initial_student(teacher, shape_of(model_type, 2, 2, 24, 10), start(LEADING))
    assert all(weight.isfinite().all() for weight in student.parameters())


def test_the_fit_comes_closer_to_the_teacher_than_the_copy(teacher: PreTrainedModel, model_type: str) -> None:
    shape = shape_of(model_type, 2, 2, 16, 24)
    errors = []
    for correction in ("least_squares", "none"):
        student = initial_student(
            teacher, shape, start(InheritanceSpec(layers="distilbert", correction=correction), teacher)
        )
        errors.append((logits(student) - logits(teacher)).square().mean())
    assert errors[0] < errors[1]


def test_a_teacher_is_known_by_its_config_and_its_weights(model_type: str, tiny_bert: Path, tmp_path: Path) -> None:
    teacher = teacher_of(model_type, *TEACHER, vocab_size=800, max_position_embeddings=66)
    teacher.save_pretrained(tmp_path)
    shutil.copy(tiny_bert / "tokenizer.json", tmp_path)
    facts = facts_of(tmp_path)
    assert facts.architecture == architecture_of(teacher) == shape_of(model_type, *TEACHER)
    assert (facts.embedding.vocab_size, facts.embedding.max_position_embeddings) == (800, 66)
    assert facts.num_parameters == sum(weight.numel() for weight in teacher.parameters())
    assert facts.can_be_inherited


def test_a_layer_too_many_or_of_another_width_is_noticed(model_type: str, tiny_bert: Path, tmp_path: Path) -> None:
    teacher = teacher_of(model_type, *TEACHER, vocab_size=800, max_position_embeddings=66)
    shutil.copy(tiny_bert / "tokenizer.json", tmp_path)
    for size, wrong, message in (("num_hidden_layers", 2, "more layers"), ("intermediate_size", 40, "has the shape")):
        teacher.save_pretrained(tmp_path)
        [name] = load_shape(MODEL_TYPES[model_type]).CONFIG_NAMES[size]
        content = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps(content | {name: wrong}))
        with pytest.raises(TeacherError, match=message):
            facts_of(tmp_path)


@pytest.mark.processes
def test_what_submission_asks_loads_no_torch() -> None:
    program = (
        "import sys, importlib; from ose.families import counts, registry, others;"
        f"[importlib.import_module(package + '.shape') for package in {list(FAMILIES.values())}];"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    support = str(Path(__file__).parents[1] / "support")
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({support!r}); {program}"], capture_output=True, text=True
    )
    assert (ended.stdout.strip(), ended.stderr) == ("[]", "")


@pytest.mark.processes
def test_reading_the_table_imports_no_family() -> None:
    program = (
        "import sys; import ose.families.registry; print([name for name in sys.modules if 'families.bert' in name])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_unknown_family_is_refused_with_those_there_are() -> None:
    for load in (load_shape, load_family):
        with pytest.raises(InvalidInputError, match="no family is called 'fungus'; there are bert, distilbert"):
            load("fungus")
