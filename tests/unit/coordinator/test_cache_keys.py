"""Tests ose/core/inheritance.py."""

from dataclasses import replace

import builders
import pytest

from ose.coordinator.cache_keys import (
    calibration_key,
    eliminates_layers,
    latency_keys,
    search_data_key,
    search_data_parts,
    shape_key,
)
from ose.core.inheritance import InheritanceSpec
from ose.core.job import CorpusFacts, Job, JobStatus
from ose.core.layer_choice import LayerChoice
from ose.core.measurement import LatencyProtocol
from ose.core.messages import TimedModel
from ose.core.packed_text import packed_text_key
from ose.core.spec import (
    Columns,
    CorpusSpec,
    ExtendedCandidate,
    Extension,
    Hyperparameters,
    JobSpec,
    SearchSpec,
    WorkersSpec,
)

SPEC = builders.job_spec()


def job(**changes: object) -> Job:
    new = builders.new_job(**changes)
    return Job(
        id=new.id,
        status=JobStatus.PENDING,
        spec=new.spec,
        spec_hash=new.spec_hash,
        teacher=new.teacher,
        corpus=new.corpus,
        created_at=new.created_at,
    )


def corpus(digest: str) -> CorpusFacts:
    return CorpusFacts(train=("/other.txt",), validation=(), digest=digest, size_bytes=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"job_id": "job-2"},
        {"corpus": corpus("c" * 64)},
        {"teacher": builders.teacher_facts(path="/moved")},
        {"spec": replace(SPEC, name="other", workers=WorkersSpec(count=7))},
        {"spec": replace(SPEC, search=SearchSpec(initialization="random", epsilon=3, max_attempts=5))},
        {"spec": replace(SPEC, search=SearchSpec(steps=200, hyperparameters=(Hyperparameters(batch_size=16),)))},
    ],
)
def test_jobs_share_what_is_equal(changes: dict) -> None:
    assert search_data_key(job(**changes)) == search_data_key(job())


@pytest.mark.parametrize(
    "changes",
    [
        {"corpus": corpus("e" * 64)},
        {"teacher": builders.teacher_facts(digest="e" * 64)},
        {"spec": replace(SPEC, corpus=CorpusSpec(train=("text.txt",), sequence_length=64))},
        {"spec": replace(SPEC, corpus=CorpusSpec(train=("text.txt",), max_tokens=1000))},
        {"spec": replace(SPEC, corpus=CorpusSpec(train=("text.txt",), columns=Columns(text="body")))},
        {"spec": replace(SPEC, search=SearchSpec(steps=101))},
        {"spec": replace(SPEC, search=SearchSpec(seed=1))},
        {"spec": replace(SPEC, search=SearchSpec(held_out_sequences=64))},
        {"spec": replace(SPEC, search=SearchSpec(precision="float32"))},
    ],
)
def test_jobs_do_not_share_what_differs(changes: dict) -> None:
    assert search_data_key(job(**changes)) != search_data_key(job())


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        (Columns(), ["8d447df7bae836250b26e2c6", "a825678f5fa08a0070e43d3b", "1fbc72898f9f7d1f7d0b6c37"]),
        (Columns(text="body"), ["e8f2279253e78cc4c6b54528", "2c2365cab2d88c5e9c7ec13d", "697591d32eb5e70881ae72e7"]),
    ],
)
def test_files_of_versions_that_knew_one_column_are_found(columns: Columns, keys: list[str]) -> None:
    known = job(spec=replace(SPEC, corpus=CorpusSpec(train=("text.txt",), columns=columns, skip_bad_rows=0.01)))
    assert [packed_text_key(known), search_data_key(known), calibration_key(known)] == keys


def test_what_is_read_beside_the_text_decides_the_files() -> None:
    specs = [
        {},
        {"columns": Columns(label="label")},
        {"columns": Columns(label="stars")},
        {"columns": Columns(text_pair="label")},
        {"columns": Columns(query_id="label")},
        {"quotes": "csv"},
        {"quotes": "literal"},
    ]
    jobs = [job(spec=replace(SPEC, corpus=CorpusSpec(train=("text.txt",), **changes))) for changes in specs]
    jobs.append(job(corpus=replace(builders.new_job().corpus, tables=True)))
    for key in (packed_text_key, search_data_key, calibration_key):
        assert len({key(each) for each in jobs}) == len(jobs)


PROTOCOL = LatencyProtocol()


def model(**changes: object) -> TimedModel:
    values = {"teacher": builders.teacher_facts(), "architecture": builders.architecture()}
    return TimedModel(**{**values, **changes})


def test_a_students_latency_depends_on_its_shape_and_not_on_its_teachers_weights() -> None:
    assert shape_key(model(teacher=builders.teacher_facts(digest="e" * 64))) == shape_key(model())
    others = [
        model(architecture=builders.architecture(heads=4)),
        model(teacher=builders.teacher_facts(model_type="bert")),
        model(teacher=builders.teacher_facts(embedding=replace(builders.EMBEDDING, vocab_size=2000))),
    ]
    assert len({shape_key(each) for each in [model(), *others]}) == 4


def test_a_teachers_latency_is_its_own() -> None:
    facts = builders.teacher_facts()
    teacher = model(architecture=facts.architecture, is_teacher=True)
    assert shape_key(teacher) != shape_key(model(architecture=facts.architecture))
    assert shape_key(teacher) != shape_key(replace(teacher, teacher=builders.teacher_facts(digest="e" * 64)))


def test_protocol_and_device_are_part_of_a_latencys_name() -> None:
    device = builders.fingerprint()
    names = {
        latency_keys(model(), PROTOCOL, device),
        latency_keys(model(), LatencyProtocol(long_sequence_length=256), device),
        latency_keys(model(), LatencyProtocol(threads=2), device),
        latency_keys(model(), LatencyProtocol(runtime="another"), device),
        latency_keys(model(), PROTOCOL, replace(device, processor="Another CPU")),
    }
    assert len(names) == 5


def layers_job(*choices: LayerChoice, rule: LayerChoice = "elimination", depths: tuple[int, ...] = (1, 2)) -> Job:
    space = replace(SPEC.space, num_hidden_layers=depths, layers=choices)
    return job(spec=replace(SPEC, space=space, search=SearchSpec(inheritance=InheritanceSpec(layers=rule))))


def test_how_long_a_measurement_may_take_is_no_part_of_a_latencys_name() -> None:
    device = builders.fingerprint()
    short, long = (latency_keys(model(), LatencyProtocol(seconds_per_shape=each), device) for each in (0.1, 3.0))
    assert short == long


def test_a_ratio_belongs_to_the_teachers_shape_and_not_to_the_very_teacher() -> None:
    device, facts = builders.fingerprint(), builders.teacher_facts()
    deeper = replace(facts.architecture, num_hidden_layers=24)
    names = [
        latency_keys(model(teacher=teacher), PROTOCOL, device)
        for teacher in (facts, replace(facts, digest="e" * 64), replace(facts, architecture=deeper))
    ]
    assert names[0] == names[1] != names[2]


def test_layers_are_eliminated_where_a_shallower_student_keeps_what_is_left() -> None:
    assert builders.teacher_facts().architecture.num_hidden_layers > 2
    assert eliminates_layers(layers_job())
    assert eliminates_layers(layers_job("elimination", (0, 1), rule="top"))
    assert not eliminates_layers(layers_job(rule="top"))
    assert not eliminates_layers(layers_job("top", (0, 1)))  # the space decides, not the job's rule


def test_nothing_is_eliminated_for_students_as_deep_as_the_teacher() -> None:
    assert not eliminates_layers(layers_job(depths=(builders.teacher_facts().architecture.num_hidden_layers,)))


def extended(steps: int, *data_steps: int, **search: object) -> JobSpec:
    candidate = ExtendedCandidate(
        candidate=1,
        architecture=builders.architecture(),
        hyperparameters=Hyperparameters(),
        layers=None,
        phases=(data_steps[-1],),
    )
    extension = Extension(job="job-1", candidates=(candidate,), data_steps=data_steps)
    return replace(SPEC, search=SearchSpec(steps=steps, **search), extends=extension)


def test_an_extension_has_its_jobs_data_and_one_part_more() -> None:
    first = search_data_parts(job(spec=replace(SPEC, search=SearchSpec(steps=100))))
    second = search_data_parts(job(spec=extended(300, 100)))
    third = search_data_parts(job(spec=extended(900, 100, 300)))
    assert (len(first), second[:1], third[:2]) == (1, first, second)
    assert [(part.first_step, part.num_sequences) for part in third] == [(0, 3200), (100, 6400), (300, 19200)]
    assert [part.held_out_sequences for part in third] == [128, 0, 0]
    assert len({part.key for part in third}) == len({part.seed for part in third}) == 3


def test_later_text_is_the_seeds_own() -> None:
    parts = [search_data_parts(job(spec=extended(300, 100, seed=seed)))[1] for seed in range(50)]
    assert len({part.seed for part in parts}) == len({part.key for part in parts}) == 50
    assert all(0 <= part.seed < 2**32 for part in parts)


def test_tasks_share_nothing_and_fill_mask_has_the_names_of_earlier_versions() -> None:
    masks, other = job(), job(teacher=builders.teacher_facts(task="other"))
    assert search_data_key(masks) != search_data_key(other)
    assert calibration_key(masks) != calibration_key(other)
    assert search_data_key(masks) == "a825678f5fa08a0070e43d3b"
