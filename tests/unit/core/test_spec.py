import math
from collections.abc import Callable

import pytest

from ose.core.recipe import DistillationSpec, LossWeights
from ose.core.search_space import SearchSpace
from ose.core.spec import CorpusSpec, Hyperparameters, JobSpec, Limits, SearchSpec, TeacherSpec, WorkersSpec
from ose.errors import InvalidInputError

SPACE = SearchSpace(
    name="one", num_hidden_layers=(1,), num_attention_heads=(1,), hidden_size=(8,), intermediate_size=(8,)
)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CorpusSpec(train=()), "corpus.train names no file"),
        (lambda: CorpusSpec(train=("a",), sequence_length=7), "sequence_length must be at least 8, not 7"),
        (lambda: CorpusSpec(train=("a",), max_tokens=0), "max_tokens must be positive, not 0"),
        (lambda: Hyperparameters(learning_rate=0.0), "learning_rate must be positive"),
        (lambda: Hyperparameters(learning_rate=math.nan), "learning_rate must be positive, not nan"),
        (lambda: Hyperparameters(batch_size=-1), "batch_size must be positive, not -1"),
        (lambda: Hyperparameters(warmup_fraction=1.0), r"warmup_fraction must be in \[0, 1\)"),
        (lambda: Hyperparameters(weight_decay=-0.1), "weight_decay must not be negative"),
        (lambda: Hyperparameters(weight_decay=math.nan), "weight_decay must not be negative"),
        (lambda: SearchSpec(epsilon=0), "epsilon must be positive, not 0"),
        (lambda: SearchSpec(steps=-3), "steps must be positive, not -3"),
        (lambda: SearchSpec(hyperparameters=()), "hyperparameters is empty"),
        (lambda: SearchSpec(seed=-1), "seed must not be negative"),
        (lambda: SearchSpec(seed=2**32), "seed must be at most 4,294,967,295, not 4294967296"),
        (lambda: SearchSpec(weight_clip=0.0), "weight_clip must be positive"),
        (lambda: SearchSpec(held_out_sequences=0), "held_out_sequences must be positive"),
        (lambda: SearchSpec(max_attempts=0), "max_attempts must be positive"),
        (
            lambda: SearchSpec(strategy="random"),
            "search.num_candidates is missing: how many the strategy random proposes",
        ),
        (lambda: SearchSpec(strategy="optuna", num_candidates=0), "num_candidates must be positive, not 0"),
        (lambda: SearchSpec(strategy="optuna", num_candidates=9, wave=0), "wave must be positive, not 0"),
        (lambda: SearchSpec(strategy="optuna", num_candidates=9, epsilon=2), "epsilon is not for the strategy optuna"),
        (lambda: SearchSpec(num_candidates=9), "search.num_candidates is not for the strategy ose; it takes epsilon"),
        (lambda: Limits(max_parameters=0), "max_parameters must be positive"),
        (lambda: Limits(max_latency_ms=-1.0), "max_latency_ms must be positive"),
        (lambda: Limits(max_loss_nats=0.0), "max_loss_nats must be positive"),
        (lambda: WorkersSpec(count=0), "count must be positive"),
        (lambda: WorkersSpec(cpus=0), "cpus must be positive"),
        (lambda: WorkersSpec(gpus=-0.5), "gpus must not be negative"),
        (lambda: WorkersSpec(gpus=math.nan), "gpus must not be negative"),
        (lambda: LossWeights(soft_targets=0, masked_lm=0, cosine=0), "loss weights must not be negative, nor all zero"),
        (lambda: LossWeights(relations=-1.0), "loss weights must not be negative"),
        (lambda: LossWeights(cosine=-1.0), "loss weights must not be negative"),
        (lambda: LossWeights(masked_lm=math.nan), "loss weights must not be negative"),
        (lambda: DistillationSpec(steps=0), "steps must be positive"),
        (lambda: DistillationSpec(temperature=0.0), "temperature must be positive"),
        (lambda: DistillationSpec(warmup_fraction=-0.1), "warmup_fraction"),
        (lambda: DistillationSpec(weight_decay=-1.0), "weight_decay must not be negative"),
        (lambda: DistillationSpec(mask_fraction=0.0), "mask_fraction"),
        (lambda: DistillationSpec(mask_fraction=0.5), "mask_fraction"),
        (lambda: DistillationSpec(preset="unheard-of"), "preset must be one of .*minilm, task, tang, not 'unheard-of'"),
        (lambda: DistillationSpec(positions="some"), "positions must be one of all, masked, not 'some'"),
        (lambda: DistillationSpec(sequences="long"), "sequences must be one of packed, documents, not 'long'"),
        (lambda: DistillationSpec(betas=(0.9, 1.0)), r"betas must be in \[0, 1\), not \[0.9, 1.0\]"),
        (lambda: DistillationSpec(mask_smoothing=-1.0), "mask_smoothing must not be negative"),
        (lambda: DistillationSpec(relation_heads=0), "relation_heads must be positive"),
        (lambda: DistillationSpec(relation_layer=-1), "relation_layer must not be negative"),
        (lambda: DistillationSpec(seed=-1), "seed must not be negative"),
        (
            lambda: JobSpec(name=" ", teacher=TeacherSpec(model="m"), corpus=CorpusSpec(train=("a",)), space=SPACE),
            "name is empty",
        ),
    ],
)
def test_a_value_without_sense_is_refused_by_name(build: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        build()


def test_a_job_needs_only_what_has_no_sensible_default() -> None:
    spec = JobSpec(name="n", teacher=TeacherSpec(model="m"), corpus=CorpusSpec(train=("a",)), space=SPACE)
    assert spec.search.strategy == "ose"
    assert spec.limits == Limits()


@pytest.mark.parametrize(
    ("workers", "uses_ray"),
    [
        (WorkersSpec(), False),
        (WorkersSpec(count=2), True),
        (WorkersSpec(count=2, backend="inline"), False),
        (WorkersSpec(backend="ray"), True),
    ],
)
def test_more_than_one_worker_takes_ray_unless_told_otherwise(workers: WorkersSpec, uses_ray: bool) -> None:
    assert workers.uses_ray is uses_ray
