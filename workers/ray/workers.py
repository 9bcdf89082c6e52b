"""Workers as Ray Tune trials: one long-lived trial for each worker, fed from the queue.

A Tune trial per candidate would start a process, load the teacher and write a folder for each; a trial per
*worker* pays for that once. Tune restarts a worker whose process died, as soon as a node has room for it, and
the queue learns of it at once.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from ose.core.imports import without_collection
from ose.core.spec import WorkersSpec

_MAX_RESTARTS = 20
"""Of one worker. More means that it is no candidate's fault."""


class _MarkDead(tune.Callback):
    """Tells the queue of every worker that dies."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Tune is about to start the worker again."""
        self._mark_dead(trial)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Tune has given the worker up."""
        self._mark_dead(trial)

    def _mark_dead(self, trial: Trial) -> None:
        self._queue.mark_dead.remote(int(trial.config["worker"]))


class TuneWorkers:
    """Runs the workers from a thread of its own until the queue closes.

    Args:
        workers: How many, and what each one gets.
        queue: Handle of the queue's actor.
        storage: Folder for the little that Tune insists on writing.
    """

    def __init__(self, workers: WorkersSpec, queue: Any, storage: Path) -> None:
        self._tuner = _build_tuner(workers, queue, storage)
        self._thread = threading.Thread(target=self._run, name="ray-tune", daemon=True)
        self._end: BaseException | str | None = None
        self._thread.start()

    @property
    def end(self) -> BaseException | str | None:
        """Why all workers have ended; None as long as one may still serve."""
        return self._end

    def join(self, timeout_s: float) -> None:
        """Wait for the workers' end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            errors = self._tuner.fit().errors
            self._end = errors[0] if errors else "they were told to"
        except BaseException as error:
            self._end = error


def work(config: dict[str, Any], queue: Any, threads: int, device: str) -> None:
    """One worker's generation: a Tune trial that takes requests until the queue closes."""
    worker = int(config["worker"])
    generation = ray.get(queue.announce.remote(worker))
    with without_collection():
        from ose.workers.executor import RequestExecutor  # here, so that the coordinator's process never loads torch

    executor = RequestExecutor(f"ray-{worker}", threads, device)
    while (request := ray.get(queue.take.remote(generation))) is not None:
        ray.get(queue.report.remote(generation, executor.run(request)))
    tune.report({"worker": worker})  # Tune prints a line about a trial that ends without a result


def _build_tuner(workers: WorkersSpec, queue: Any, storage: Path) -> tune.Tuner:
    device = "cuda" if workers.gpus else "cpu"
    trainable = tune.with_parameters(work, queue=queue, threads=workers.cpus, device=device)
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": workers.cpus, "gpu": workers.gpus}),
        param_space={"worker": tune.grid_search(list(range(workers.count)))},
        tune_config=tune.TuneConfig(max_concurrent_trials=workers.count),
        run_config=tune.RunConfig(
            storage_path=str(storage),
            verbose=0,
            callbacks=[_MarkDead(queue)],
            failure_config=tune.FailureConfig(max_failures=_MAX_RESTARTS),
        ),
    )
