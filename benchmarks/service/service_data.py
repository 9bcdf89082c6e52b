"""A finished job with as many candidates as wanted, written straight into the tables."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from ose.core.architecture import EmbeddingShape
from ose.core.job import CandidateStatus, CorpusFacts, JobStatus, TeacherFacts
from ose.core.measurement import DeviceFingerprint, Evaluation, LatencyMeasurement, Metric, TeacherQuality
from ose.core.objectives import measures, teacher_measures
from ose.core.score import FORMULA_VERSION, score
from ose.core.search_space import SearchSpace
from ose.core.spec import CorpusSpec, JobSpec, TeacherSpec
from ose.families.counts import FamilyCounts
from ose.inputs.job_file import spec_hash
from ose.store import rows
from ose.store.new_rows import NewCandidate, NewJob
from ose.store.sql import SqlStore
from ose.store.tables import CANDIDATES

OWNER = "benchmark"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FOREVER = NOW + timedelta(days=36500)
EMBEDDING = EmbeddingShape(vocab_size=50_265, max_position_embeddings=514)
COUNTS = FamilyCounts(EMBEDDING)

LARGE = SearchSpace(
    name="large",
    num_hidden_layers=tuple(range(1, 13)),
    num_attention_heads=(4,),
    hidden_size=tuple(range(64, 64 + 4 * 170, 4)),
    intermediate_size=tuple(range(64, 64 + 32 * 80, 32)),
)
"""163,200 different members."""

TEACHER_SHAPE = {"num_hidden_layers": 12, "num_attention_heads": 12, "hidden_size": 768, "intermediate_size": 3072}
_BATCH = 10_000


def new_job(job_id: str) -> NewJob:
    """A job that a teacher of RoBERTa's base size and the large space make."""
    from ose.core.architecture import Architecture

    shape = Architecture(**TEACHER_SHAPE)
    count = COUNTS.parameters(shape)
    spec = JobSpec(
        name="large", teacher=TeacherSpec(model="teacher"), corpus=CorpusSpec(train=("text.txt",)), space=LARGE
    )
    teacher = TeacherFacts(
        path="/teacher",
        digest="d" * 64,
        model_type="roberta",
        architecture=shape,
        embedding=EMBEDDING,
        max_sequence_length=512,
        num_parameters=count.total,
        num_encoder_parameters=count.encoder,
        can_be_inherited=True,
    )
    corpus = CorpusFacts(train=("/text.txt",), validation=(), digest="c" * 64, size_bytes=10**9)
    return NewJob(id=job_id, spec=spec, spec_hash=spec_hash(spec), teacher=teacher, corpus=corpus, created_at=NOW)


def latency(p50_ms: float) -> LatencyMeasurement:
    """A measurement of thirty samples."""
    samples = tuple(p50_ms * (0.9 + 0.2 * index / 29) for index in range(30))
    device = DeviceFingerprint(
        machine="x86_64",
        processor="Simulated",
        num_cores=2,
        accelerator=None,
        operating_system="Linux",
        python="3.11",
        runtime="torch",
    )
    return LatencyMeasurement(
        p10_ms=0.9 * p50_ms,
        p50_ms=p50_ms,
        p90_ms=1.1 * p50_ms,
        samples_ms=samples,
        load_before=0.1,
        load_after=0.1,
        is_flagged=False,
        fingerprint=device,
    )


def metrics(masked_lm_loss_nats: float, masked_accuracy: float) -> dict[str, Metric]:
    """Those of a masked language model."""
    return {
        "masked_lm_loss_nats": Metric(value=masked_lm_loss_nats, stderr=0.05),
        "masked_accuracy": Metric(value=masked_accuracy, stderr=0.01),
    }


def evaluation(loss_nats: float, num_steps: int = 100, num_sequences: int = 96) -> Evaluation:
    """As large as a search's are: a loss for each step and for each held-out sequence."""
    return Evaluation(
        loss_nats=loss_nats,
        loss_stderr_nats=0.05,
        metrics=metrics(loss_nats + 0.2, 0.3),
        sequence_losses_nats=tuple(loss_nats + 0.01 * (index % 7 - 3) for index in range(num_sequences)),
        training_losses_nats=tuple(loss_nats + 3 / (index + 1) for index in range(num_steps)),
        num_steps=num_steps,
        wall_time_s=10.0,
        training_time_s=9.0,
        peak_memory_bytes=10**9,
        teacher_layers=(0, 3, 7, 11),
    )


def add_job(store: SqlStore, job_id: str) -> None:
    """A job that runs under OWNER, whose teacher was measured."""
    store.add_job(new_job(job_id))
    store.claim_job(job_id, OWNER, NOW, FOREVER)
    measured = store.add_latency(f"teacher-{job_id}", "protocol", "device", latency(100.0), NOW)
    quality = TeacherQuality(entropy_nats=2.0, entropy_stderr_nats=0.02, metrics=metrics(2.1, 0.6), num_targets=5000)
    store.record_teacher(job_id, OWNER, quality=quality, latency_id=measured.id)


def members(count: int) -> Iterator[NewCandidate]:
    """The first candidates of the large space, in order."""
    spec = new_job("any").spec
    theta, steps = spec.search.hyperparameters[0], spec.search.steps
    stride = max(1, LARGE.count() // count)
    for number, member in zip(range(1, count + 1), LARGE.members(COUNTS, stride=stride), strict=False):
        parameters = COUNTS.parameters(member.architecture)
        yield NewCandidate(
            number=number,
            architecture=member.architecture,
            hyperparameters=theta,
            num_steps=steps,
            num_parameters=parameters.total,
            num_encoder_parameters=parameters.encoder,
            flops=COUNTS.flops(member.architecture, 128),
        )


def fill(store: SqlStore, job_id: str, count: int, seed: int = 0) -> None:
    """Add a job that has ended: nine in ten scored, the others failed, too slow or beyond the limit on loss."""
    add_job(store, job_id)
    draw = random.Random(seed)
    job = store.job(job_id)
    teacher = teacher_measures(job)
    batch: list[dict[str, Any]] = []
    with store._transactions.write() as connection:
        for candidate in members(count):
            batch.append(_ended(job_id, candidate, teacher, job.spec.score, draw))
            if len(batch) == _BATCH:
                connection.execute(insert(CANDIDATES), batch)
                batch = []
        if batch:
            connection.execute(insert(CANDIDATES), batch)
    store.finish_job(job_id, OWNER, JobStatus.SUCCEEDED, NOW)


_BLANK = {column.name: None for column in CANDIDATES.columns if column.name != "id"}


def _ended(job_id: str, new: NewCandidate, teacher: Any, rule: Any, draw: random.Random) -> dict[str, Any]:
    milliseconds = 1 + new.flops / 1.1e9 * draw.uniform(0.9, 1.1)
    measured = latency(milliseconds)
    values = {
        **_BLANK,
        **rows.from_candidate(job_id, new),
        **rows.from_latency(measured),
        "num_attempts": 1,
        "changed": 1,
        "metrics": {},
    }
    kind = draw.random()
    if kind < 0.02:
        return {**values, "status": CandidateStatus.REJECTED, "rejection": "too slow", "num_attempts": 0}
    if kind < 0.05:
        failed = {"failure_code": "out_of_memory", "failure_message": "no memory left", "failure_is_retryable": True}
        return {**values, **failed, "status": CandidateStatus.FAILED}
    found = evaluation(2.2 + 30 / new.num_encoder_parameters**0.2 * draw.uniform(0.97, 1.03), 1, 1)
    scored = score(measures(new.num_parameters, measured, found), teacher, rule)
    values |= rows.from_evaluation(found)
    values |= {"score": scored.value, "score_stderr": scored.stderr, "score_formula_version": FORMULA_VERSION}
    if kind < 0.1:
        return {**values, "status": CandidateStatus.REJECTED, "rejection": "too high a loss"}
    return {**values, "status": CandidateStatus.SUCCEEDED}
