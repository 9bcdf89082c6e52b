"""The stages of one job: data and the teacher's targets, latencies, candidates.

Each stage asks the store and the artifact folder what is there already, so running a job again after a
crash is the same code as running it the first time.
"""

from __future__ import annotations

from ose.coordinator.candidate_stage import run_wave
from ose.coordinator.checkpoints import Checkpoints
from ose.coordinator.data_stage import prepare_search_data
from ose.coordinator.latency_stage import expect_latencies
from ose.coordinator.run_context import RunContext
from ose.errors import StoreError
from ose.strategies.registry import build_strategy


def run_job(context: RunContext) -> None:
    """Go through all stages, until every candidate has ended.

    Raises:
        JobInterruptedError, ConflictError: The job is no longer ours.
        StageFailedError: The data or the teacher's targets could not be made.
        EvaluationError: The teacher's latency cannot be measured.
        WorkerLostError: No worker is left.
    """
    strategy = build_strategy(context.job.spec, context.job.teacher, context.check_lease)
    proposals = strategy.ask()
    expect_latencies(context, {proposal.architecture for proposal in proposals})
    quality = prepare_search_data(context)
    context.store.record_teacher(context.job.id, context.owner, quality=quality)
    checkpoints = Checkpoints(context.checkpoint_folder, context.job)
    while proposals:
        run_wave(context.refreshed(), strategy, proposals, checkpoints)
        _record_study(context)
        proposals = strategy.ask()
    checkpoints.finish()


def _record_study(context: RunContext) -> None:
    """Let others watch what optuna does. A copy that cannot be written is worth a line, not the job."""
    spec = context.job.spec
    if spec.search.strategy != "optuna" or spec.extends is not None:
        return
    from ose.strategies.study_record import record_study  # optuna takes a second to load

    try:
        record_study(context.store, context.job)
    except StoreError as error:
        context.progress.say(str(error))
