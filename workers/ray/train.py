"""A full distillation in several processes: Ray Train starts them, and starts them again when one dies.

Use it through `ose.workers.ray.entry.distill_on_ray`: Ray reads its environment as it is imported.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from ose.artifacts.scratch import ScratchFolder
from ose.core.job import DistillationResult
from ose.core.spec import WorkersSpec
from ose.distillation.module import StepLosses
from ose.errors import OseError, WorkerLostError
from ose.workers.foreground import FullDistillation
from ose.workers.ray.cluster import RayCluster, beside_us
from ose.workers.ray.process_group import ClusterNetworkConfig
from ose.workers.ray.train_worker import News, work

_MAX_RESTARTS = 3
"""Of all workers, after one has died. More means that the next start would end in the same way."""

_NEWS_WITHIN_S = 1.0
"""How long to wait for news before looking whether the workers are still there."""


class TrainingRun:
    """Ray Train at work, in a thread of its own: in the main one it would take over what an interrupt does.

    Args:
        workers: How many, and what each one gets.
        request: What they are to do.
        news: Handle of the actor they tell it to.
        storage: Folder for the little that Ray Train insists on writing.
    """

    def __init__(self, workers: WorkersSpec, request: FullDistillation, news: Any, storage: Path) -> None:
        self._trainer = TorchTrainer(
            work,
            train_loop_config={"request": pickle.dumps(request), "news": news},
            torch_config=ClusterNetworkConfig(),
            scaling_config=ScalingConfig(
                num_workers=workers.count, use_gpu=workers.gpus > 0, resources_per_worker=_resources(workers)
            ),
            run_config=RunConfig(storage_path=str(storage), failure_config=FailureConfig(max_failures=_MAX_RESTARTS)),
        )
        self._end: BaseException | str | None = None
        threading.Thread(target=self._run, name="ray-train", daemon=True).start()

    @property
    def end(self) -> BaseException | str | None:
        """Why all workers have ended; None as long as they may have more to tell."""
        return self._end

    def _run(self) -> None:
        try:
            self._trainer.fit()
            self._end = "they were done"
        except BaseException as error:
            self._end = error


def distill_together(
    request: FullDistillation,
    workers: WorkersSpec,
    address: str | None,
    on_step: Callable[[int, StepLosses], None],
) -> DistillationResult:
    """Distil on a Ray cluster. See `ose.workers.ray.entry.distill_on_ray`."""
    with (
        closing(ScratchFolder("ray")) as scratch,
        closing(RayCluster(workers, address, scratch.path)),
    ):
        news: Any = ray.remote(num_cpus=0, scheduling_strategy=beside_us())(News).remote()
        training = TrainingRun(workers, request, news, scratch.path / "train")
        while True:
            end = training.end
            items = _answer(news.take.remote(_NEWS_WITHIN_S))
            if not items and end is not None:
                raise _lost(end)
            for item in items:
                match item:
                    case DistillationResult():
                        return item
                    case OseError():
                        raise item
                    case step, losses:
                        on_step(step, StepLosses(**losses))


def _resources(workers: WorkersSpec) -> dict[str, float]:
    return {"CPU": workers.cpus, **({"GPU": workers.gpus} if workers.gpus else {})}


def _answer(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        raise WorkerLostError(f"the Ray cluster is gone: {error}") from error


def _lost(end: BaseException | str) -> WorkerLostError:
    """An error whose message has one line for each worker that failed last."""
    failures = getattr(end, "worker_failures", {}) or {0: end}
    told = "; ".join(f"worker {rank}: {str(failure).strip().splitlines()[0]}" for rank, failure in failures.items())
    error = WorkerLostError(
        f"the workers have stopped after {_MAX_RESTARTS} restarts ({told}); the last checkpoint is kept"
    )
    error.__cause__ = end if isinstance(end, BaseException) else None
    return error
