"""The first stage: the corpus as batches, and the teacher's targets for them, shared out to all workers.

Workers leave alone what the folder holds already, so going on after a crash is doing it all again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ose.coordinator.cache_keys import (
    SearchDataPart,
    eliminates_layers,
    needs_calibration,
    num_calibration_sequences,
    search_data_parts,
)
from ose.coordinator.run_context import RunContext, new_id
from ose.core.failures import StageFailedError
from ose.core.job import FailureReport
from ose.core.measurement import TeacherQuality
from ose.core.messages import (
    CalibrationRequest,
    DataRequest,
    DataSummary,
    Request,
    RequestFailed,
    Result,
    TargetsRequest,
)
from ose.core.spec import TeacherSpec
from ose.errors import TeacherError

SHARD_SEQUENCES = 128
"""Sequences of one targets request: some seconds of teacher time, so that workers share the pass evenly."""


def prepare_search_data(context: RunContext) -> TeacherQuality:
    """See to it that the job's search data is complete, and tell the teacher's quality on it.

    Raises:
        StageFailedError: The data or the teacher's targets could not be made, or the teacher is in doubt.
        JobInterruptedError: The job is no longer ours.
    """
    parts = search_data_parts(context.job)
    context.progress.stage("Packing the corpus", len(parts))
    requests = _calibration_requests(context)
    for part in parts:
        [summary] = run_requests(context, [_data_request(context, part)])
        assert isinstance(summary, DataSummary)
        if summary.num_dropped:
            context.progress.say(
                f"{summary.num_dropped:,} sequences of text were left out: the teacher's vocabulary does not know most "
                "of each"
            )
        requests += _targets_requests(context, part, summary)
    judged = [each for each in requests if isinstance(each, TargetsRequest) and each.shard is None]
    context.progress.stage("Asking the teacher", len(requests))
    [quality] = run_requests(context, judged)  # before all else: nothing is spent on a teacher that is none
    assert isinstance(quality, TeacherQuality)
    _require_trusted(quality, context.job.spec.teacher)
    run_requests(context, [each for each in requests if each not in judged])
    return quality


def _require_trusted(quality: TeacherQuality, teacher: TeacherSpec) -> None:
    """Nothing is learnt from a teacher that has learnt nothing, however many candidates are trained."""
    if quality.doubts and not teacher.as_is:
        raise StageFailedError(
            FailureReport(
                code=TeacherError.code,
                message=f"the teacher {teacher.model} may not be what it seems: {'; '.join(quality.doubts)}. If it is "
                "what you want, submit the job again with teacher.as_is: true (--teacher-as-is)",
            )
        )


def _data_request(context: RunContext, part: SearchDataPart) -> DataRequest:
    job = context.job
    return DataRequest(
        id=new_id(),
        folder=str(context.data_folder(part)),
        teacher=job.teacher,
        corpus=job.corpus,
        corpus_spec=job.spec.corpus,
        num_sequences=part.num_sequences,
        held_out_sequences=part.held_out_sequences,
        seed=part.seed,
    )


def _calibration_requests(context: RunContext) -> list[Request]:
    """One request or none; it takes as long as many shards, so it goes out before them."""
    job = context.job
    if not needs_calibration(job.spec):
        return []
    request = CalibrationRequest(
        id=new_id(),
        folder=str(context.calibration_folder),
        teacher=job.teacher,
        corpus=job.corpus,
        corpus_spec=job.spec.corpus,
        num_sequences=num_calibration_sequences(job.spec),
        eliminates_layers=eliminates_layers(job),
    )
    return [request]


def _targets_requests(context: RunContext, part: SearchDataPart, summary: DataSummary) -> list[TargetsRequest]:
    def request(shard: int | None, first: int, last: int) -> TargetsRequest:
        return TargetsRequest(
            id=new_id(),
            folder=str(context.data_folder(part)),
            teacher=context.job.teacher,
            shard=shard,
            first=first,
            last=last,
            seed=part.seed,
            precision=context.job.spec.search.precision,
        )

    count = summary.num_sequences
    firsts = range(0, count, SHARD_SEQUENCES)
    shards = [request(shard, first, min(first + SHARD_SEQUENCES, count)) for shard, first in enumerate(firsts)]
    return [request(None, 0, summary.held_out_sequences), *shards] if part.held_out_sequences else shards


def run_requests(context: RunContext, requests: Sequence[Request]) -> list[Result]:
    """Run requests that must all succeed; one that may do better is given out once more.

    Raises:
        StageFailedError: One did not.
        JobInterruptedError: The job is no longer ours.
    """
    results: list[Result] = []
    open_requests = {request.id: request for request in requests}
    retried: set[str] = set()
    for request in requests:
        context.backend.submit(request)
    while open_requests:
        event = context.next_event()
        if not isinstance(event, RequestFailed):
            del open_requests[event.request_id]
            results.append(event.result)
            context.progress.advance()
        elif event.failure.is_retryable and event.request_id not in retried:
            retried.add(event.request_id)
            context.backend.submit(open_requests[event.request_id])
        else:
            raise StageFailedError(event.failure)
    return results
