"""The first stage: the corpus as batches, and the teacher's targets for them, shared out to all workers.

Workers leave alone what the folder holds already, so going on after a crash is doing it all again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ose.coordinator.cache_keys import (
    SearchDataPart,
    eliminates_layers,
    needs_anatomy,
    num_anatomy_sequences,
    search_data_parts,
)
from ose.coordinator.run_context import RunContext, new_id
from ose.core.failures import StageFailedError
from ose.core.measurement import TeacherQuality
from ose.core.messages import AnatomyTask, DataSummary, DataTask, TargetsTask, Task, TaskFailed, TaskResult

SHARD_SEQUENCES = 128
"""Sequences of one targets task: some seconds of teacher time, so that workers share the pass evenly."""


def prepare_search_data(context: RunContext) -> TeacherQuality:
    """See to it that the job's search data is complete, and tell the teacher's quality on it.

    Raises:
        StageFailedError: The data or the teacher's targets could not be made.
        JobInterruptedError: The job is no longer ours.
    """
    parts = search_data_parts(context.job)
    context.progress.stage("Packing the corpus", len(parts))
    tasks = _anatomy_tasks(context)
    for part in parts:
        [summary] = run_tasks(context, [_data_task(context, part)])
        assert isinstance(summary, DataSummary)
        tasks += _targets_tasks(context, part, summary)
    context.progress.stage("Asking the teacher", len(tasks))
    return next(result for result in run_tasks(context, tasks) if isinstance(result, TeacherQuality))


def _data_task(context: RunContext, part: SearchDataPart) -> DataTask:
    job = context.job
    return DataTask(
        id=new_id(),
        folder=str(context.data_folder(part)),
        teacher=job.teacher,
        corpus=job.corpus,
        corpus_spec=job.spec.corpus,
        num_sequences=part.num_sequences,
        held_out_sequences=part.held_out_sequences,
        seed=part.seed,
    )


def _anatomy_tasks(context: RunContext) -> list[Task]:
    """One task or none; it takes as long as many shards, so it goes out first."""
    job = context.job
    if not needs_anatomy(job.spec):
        return []
    task = AnatomyTask(
        id=new_id(),
        folder=str(context.anatomy_folder),
        teacher=job.teacher,
        corpus=job.corpus,
        corpus_spec=job.spec.corpus,
        num_sequences=num_anatomy_sequences(job.spec),
        eliminates_layers=eliminates_layers(job),
    )
    return [task]


def _targets_tasks(context: RunContext, part: SearchDataPart, summary: DataSummary) -> list[Task]:
    def task(shard: int | None, first: int, last: int) -> TargetsTask:
        return TargetsTask(
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
    shards = [task(shard, first, min(first + SHARD_SEQUENCES, count)) for shard, first in enumerate(firsts)]
    return [task(None, 0, summary.held_out_sequences), *shards] if part.held_out_sequences else shards


def run_tasks(context: RunContext, tasks: Sequence[Task]) -> list[TaskResult]:
    """Run tasks that must all succeed; one that may do better is given out once more.

    Raises:
        StageFailedError: One did not.
        JobInterruptedError: The job is no longer ours.
    """
    results: list[TaskResult] = []
    open_tasks = {task.id: task for task in tasks}
    retried: set[str] = set()
    for task in tasks:
        context.backend.submit(task)
    while open_tasks:
        event = context.next_event()
        if not isinstance(event, TaskFailed):
            del open_tasks[event.task_id]
            results.append(event.result)
            context.progress.advance()
        elif event.failure.is_retryable and event.task_id not in retried:
            retried.add(event.task_id)
            context.backend.submit(open_tasks[event.task_id])
        else:
            raise StageFailedError(event.failure)
    return results
