"""Evaluate candidates: build each student, train it s steps against the teacher, judge it."""

from __future__ import annotations

import logging
import resource
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from transformers import PreTrainedModel

from ose.core.measurement import Evaluation
from ose.core.messages import EvaluateTask
from ose.distillation.candidate_training import StudentTraining
from ose.errors import StorageError
from ose.extraction.calibration import Anatomy
from ose.extraction.initial import Start, initial_student
from ose.families.bert.model import build_blank_student
from ose.tasks.fill_mask.held_out import judge, quality_of
from ose.tasks.fill_mask.resident_data import ResidentData, on_device
from ose.tasks.fill_mask.search_data import SearchData
from ose.training.cuda_stream import Lane, Stamp, seconds_between
from ose.training.phase_end import LegEnd

_log = logging.getLogger(__name__)


def evaluate_candidate(
    task: EvaluateTask,
    teacher: PreTrainedModel,
    data: SearchData | ResidentData,
    anatomy: Anatomy | None = None,
    lane: Lane | None = None,
) -> Evaluation:
    """Train the candidate of `task` and measure its distance from the teacher.

    Everything random follows from the task's seed, and all candidates see the same batches in the same
    order, so differences between candidates are differences between architectures.

    Args:
        task: What to train, and for how long.
        teacher: Its weights are inherited, if the task says so; it is never run here. The student trains on
            its device.
        data: The search's batches and the teacher's stored targets.
        anatomy: The teacher's, on its device; None where the task's inheritance needs none.
        lane: On the teacher's device. To evaluate several, keep one: each holds on to the memory it once used.

    Raises:
        NonFiniteLossError: Training diverged.
        InvalidInputError: The student cannot inherit from this teacher.
    """
    return QueuedCandidate(task, teacher, data, anatomy, lane or Lane(teacher.device)).evaluation()


def evaluate_together(
    tasks: Iterable[EvaluateTask],
    teacher: PreTrainedModel,
    data: SearchData | ResidentData,
    anatomy: Anatomy | None = None,
    *,
    at_once: int,
    uses_graphs: bool = True,
) -> Iterator[tuple[EvaluateTask, Evaluation | Exception]]:
    """Evaluate candidates, several of them at the same time on one GPU, with the outcomes in the order of the tasks.

    Students are built and queued one after the other, without waiting for any but the oldest: so the GPU has work
    while the host builds, and small students share it. On a CPU they simply follow one another. What is computed for a
    candidate does not depend on the others; one that fails leaves them alone.

    Args:
        tasks: Candidates of one search.
        teacher: As in `evaluate_candidate`.
        data: As there.
        anatomy: As there.
        at_once: Candidates in the GPU's memory at the same time; one of them is being built.
        uses_graphs: See `Lane`.
    """
    data = on_device(data, teacher.device)
    idle = deque(Lane(teacher.device, uses_graphs=uses_graphs) for _ in range(at_once))
    queued: deque[tuple[EvaluateTask, Lane, QueuedCandidate | Exception]] = deque()
    for task in tasks:
        if not idle:
            yield _oldest(queued, idle)
        lane = idle.popleft()
        try:
            queued.append((task, lane, QueuedCandidate(task, teacher, data, anatomy, lane)))
        except Exception as error:
            queued.append((task, lane, error))
    while queued:
        yield _oldest(queued, idle)


def _oldest(
    queued: deque[tuple[EvaluateTask, Lane, QueuedCandidate | Exception]], idle: deque[Lane]
) -> tuple[EvaluateTask, Evaluation | Exception]:
    """The outcome of the candidate queued first, whose lane is idle from then on."""
    task, lane, candidate = queued.popleft()
    idle.append(lane)
    if isinstance(candidate, Exception):
        lane.wait()
        return task, candidate
    try:
        return task, candidate.evaluation()
    except Exception as error:
        return task, error


class QueuedCandidate:
    """A candidate whose building, training and judging is queued in a lane; on a CPU, done.

    Raises:
        NonFiniteLossError: Training diverged, on a CPU; on a GPU `evaluation` tells.
        InvalidInputError: The student cannot inherit from this teacher.
    """

    def __init__(
        self,
        task: EvaluateTask,
        teacher: PreTrainedModel,
        data: SearchData | ResidentData,
        anatomy: Anatomy | None,
        lane: Lane,
    ) -> None:
        data = on_device(data, teacher.device)
        start = Start(initialization=task.initialization, inheritance=task.inheritance, seed=task.seed, anatomy=anatomy)
        self._task, self._lane = task, lane
        with lane.work():
            self._stamps: list[Stamp] = [lane.stamp()]
            begun = _longest_leg(task)
            if begun is None:
                student = initial_student(teacher, task.architecture, start)
            else:
                student = build_blank_student(teacher.config, task.architecture, teacher.device)
            self._stamps.append(lane.stamp())
            self._training = StudentTraining(student, task, data, begun)
            self._training.run(lane)
            self._stamps.append(lane.stamp())
            self._judged = judge(student, data, None, task.precision)
            self._stamps.append(lane.stamp())
        self._layers = start.layers(teacher.config.num_hidden_layers, task.architecture.num_hidden_layers)

    def evaluation(self) -> Evaluation:
        """Wait for the candidate.

        Raises:
            NonFiniteLossError: Training diverged.
        """
        self._lane.wait()
        losses = self._training.losses()
        quality = quality_of(self._judged)
        _keep(self._task, self._training, quality.loss_nats)
        started, training_started, trained, ended = self._stamps
        return Evaluation(
            loss_nats=quality.loss_nats,
            loss_stderr_nats=quality.loss_stderr_nats,
            masked_lm_loss_nats=quality.masked_lm_loss_nats,
            masked_accuracy=quality.masked_accuracy,
            sequence_losses_nats=quality.sequence_losses_nats,
            training_losses_nats=tuple(losses),
            num_steps=self._task.num_steps,
            wall_time_s=seconds_between(started, ended),
            training_time_s=seconds_between(training_started, trained),
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            teacher_layers=self._layers,
            first_step=self._training.first_step,
        )


def _longest_leg(task: EvaluateTask) -> LegEnd | None:
    """The end of the last leg that need not be trained again; None if all must be."""
    files = task.checkpoints.earlier if task.checkpoints else ()
    return next((end for file in reversed(files) if (end := LegEnd.load(Path(file))) is not None), None)


def _keep(task: EvaluateTask, training: StudentTraining, loss_nats: float) -> None:
    """Keep the weights of a candidate that may be gone on with. They are a cache, so a full disk stops no training."""
    if task.checkpoints is None or loss_nats > task.checkpoints.loss_at_most:
        return
    try:
        training.end().save(Path(task.checkpoints.last))
    except StorageError as error:
        _log.warning("a candidate's weights are not kept: %s", error)
