from dataclasses import replace

import builders
import pytest

from ose.core.job import Job, JobStatus
from ose.core.objectives import measures, teacher_measures, with_divergence_stderr
from ose.core.score import Measures
from ose.errors import EvaluationError


def job() -> Job:
    new = builders.new_job()
    return Job(
        id=new.id,
        status=JobStatus.RUNNING,
        spec=new.spec,
        spec_hash=new.spec_hash,
        teacher=new.teacher,
        corpus=new.corpus,
        created_at=new.created_at,
        teacher_latency=builders.latency(9.0),
        teacher_quality=builders.teacher_quality(entropy_nats=3.25),
    )


def test_a_candidate_is_measured_by_its_median_and_its_held_out_loss_with_their_errors() -> None:
    latency = builders.latency(5.0)
    assert measures(1234, latency, builders.evaluation(4.5, loss_stderr_nats=0.05)) == Measures(
        num_parameters=1234,
        latency_ms=5.0,
        latency_stderr_ms=latency.p50_stderr_ms,
        loss_nats=4.5,
        loss_stderr_nats=0.05,
    )


def test_a_teachers_loss_is_its_own_entropy() -> None:
    assert teacher_measures(job()) == Measures(num_parameters=1_000_000, latency_ms=9.0, loss_nats=3.25)


def test_a_divergence_is_as_sure_as_its_pairs_are() -> None:
    teacher = builders.teacher_quality(sequence_entropies_nats=(1.0, 5.0, 2.0))
    alike = builders.evaluation(sequence_losses_nats=(1.5, 5.5, 2.5))
    assert with_divergence_stderr(alike, teacher).divergence_stderr_nats == pytest.approx(0.0)
    harder = builders.evaluation(sequence_losses_nats=(1.4, 5.5, 2.6))
    assert with_divergence_stderr(harder, teacher).divergence_stderr_nats == pytest.approx(0.1 / 3**0.5)
    for unknown in (builders.teacher_quality(), builders.teacher_quality(sequence_entropies_nats=(1.0,))):
        assert with_divergence_stderr(alike, unknown) == alike


@pytest.mark.parametrize("missing", ["teacher_latency", "teacher_quality"])
def test_a_teacher_must_have_been_measured(missing: str) -> None:
    with pytest.raises(EvaluationError, match="has not been measured"):
        teacher_measures(replace(job(), **{missing: None}))
