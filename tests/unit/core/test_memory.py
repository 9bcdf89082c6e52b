from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from ose.core.architecture import EmbeddingShape
from ose.core.memory import distillation_memory, fitting_batch, fitting_workers, job_memory, worker_memory
from ose.core.recipe import DistillationSpec
from ose.core.spec import Hyperparameters, JobSpec, SearchSpec, WorkersSpec
from ose.families.counts import FamilyCounts

GIGABYTE = 1_000_000_000
EMBEDDING = EmbeddingShape(vocab_size=250_002, max_position_embeddings=514)
COUNTS = FamilyCounts(EMBEDDING)


def spec(batch_size: int = 32, workers: int = 1, **search: object) -> JobSpec:
    thetas = (Hyperparameters(batch_size=batch_size),)
    return builders.job_spec(
        search=SearchSpec(hyperparameters=thetas, **search), workers=WorkersSpec(count=workers, backend="ray")
    )


def wide(model_type: str = "xlm-roberta"):
    return builders.teacher_facts(embedding=EMBEDDING, model_type=model_type, num_parameters=40_000_000)


def test_the_vocabulary_counts_at_the_masked_positions_where_the_head_can_be_run_there():
    assert job_memory(spec(), wide(), COUNTS, 0) < 8 * GIGABYTE
    everywhere = (
        worker_memory(spec(), wide("distilbert"), COUNTS, 0).training
        / worker_memory(spec(), wide(), COUNTS, 0).training
    )
    assert 5 < everywhere < 8  # 128 positions to 19


def test_a_head_of_labels_has_no_logits_of_words_and_rows_take_room_one_by_one():
    labels = replace(EMBEDDING, num_labels=3)
    teacher = replace(wide(), embedding=labels, task="text_classification")
    counts = FamilyCounts(labels, "text_classification")
    masked, labelled = (worker_memory(spec(), each, counts, 0) for each in (wide(), teacher))
    assert labelled.training < masked.training / 5 and labelled.sampling < masked.sampling / 5
    many = [worker_memory(spec(steps=steps), teacher, counts, 10**10).preparing for steps in (1_000, 100_000)]
    assert many[1] - many[0] > 99_000 * 32 * 500


def test_every_worker_counts_and_more_of_anything_takes_more():
    teacher = builders.teacher_facts()
    one = job_memory(spec(), teacher, builders.COUNTS, 0)
    assert job_memory(spec(workers=4), teacher, builders.COUNTS, 0) > 2 * one
    assert job_memory(spec(batch_size=3200), teacher, builders.COUNTS, 0) > one
    assert (
        job_memory(replace(spec(), space=builders.search_space(hidden_size=(4096,))), teacher, builders.COUNTS, 0) > one
    )
    assert job_memory(spec(), replace(teacher, num_parameters=10**9), builders.COUNTS, 0) > one + 3 * GIGABYTE


def test_text_counts_as_far_as_there_is_any():
    many = spec(steps=1_000_000)
    teacher = builders.teacher_facts()
    assert (
        worker_memory(many, teacher, builders.COUNTS, 1000).preparing
        < worker_memory(many, teacher, builders.COUNTS, 10**8).preparing
    )
    assert worker_memory(many, teacher, builders.COUNTS, 10**8) == worker_memory(
        many, teacher, builders.COUNTS, 0
    )  # max_tokens of it


@pytest.mark.parametrize("most", [2 * GIGABYTE, 4 * GIGABYTE, 20 * GIGABYTE])
def test_what_fits_is_the_most_that_does(most: int):
    teacher = builders.teacher_facts()
    batch_size = fitting_batch(spec(batch_size=65_535), teacher, builders.COUNTS, 0, most)
    assert job_memory(spec(batch_size=batch_size), teacher, builders.COUNTS, 0) <= most
    assert job_memory(spec(batch_size=batch_size + 1), teacher, builders.COUNTS, 0) > most
    workers = fitting_workers(spec(workers=1000), teacher, builders.COUNTS, 0, most)
    assert job_memory(spec(workers=workers + 1), teacher, builders.COUNTS, 0) > most


def test_nothing_fits_into_nothing():
    assert fitting_batch(spec(), wide(), COUNTS, 0, 1) == fitting_workers(spec(), wide(), COUNTS, 0, 1) == 0


def test_soft_targets_everywhere_are_what_a_distillation_takes():
    job = builders.new_job(teacher=wide())
    masked, everywhere = DistillationSpec(), DistillationSpec(positions="all")
    needed = [distillation_memory(job, COUNTS, builders.architecture(), recipe, 1) for recipe in (masked, everywhere)]
    assert needed[0] < needed[1] / 2
    assert distillation_memory(job, COUNTS, builders.architecture(), masked, 2) == 2 * needed[0]
