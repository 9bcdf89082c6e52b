"""Evaluate candidates: build each student, train it s steps against the teacher, judge it."""

from __future__ import annotations

import logging
import resource
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from transformers import PreTrainedModel

from ose.core.measurement import Evaluation
from ose.core.messages import EvaluationRequest
from ose.distillation.candidate_training import StudentTraining
from ose.errors import StorageError
from ose.extraction.calibration import Calibration
from ose.extraction.initial import Start, initial_student
from ose.families.registry import load_family
from ose.tasks.base import SearchData
from ose.tasks.registry import load_task
from ose.training.cuda_stream import CudaStream, Stamp, seconds_between
from ose.training.phase_end import PhaseEnd

_log = logging.getLogger(__name__)


def evaluate_candidate(
    request: EvaluationRequest,
    teacher: PreTrainedModel,
    data: SearchData,
    calibration: Calibration | None = None,
    stream: CudaStream | None = None,
) -> Evaluation:
    """Train the candidate of `request` and measure its distance from the teacher.

    Everything random follows from the request's seed, and all candidates see the same batches in the same
    order, so differences between candidates are differences between architectures.

    Args:
        request: What to train, and for how long.
        teacher: Its weights are inherited, if the request says so; it is never run here. The student trains on
            its device.
        data: The search's batches and the teacher's stored targets.
        calibration: The teacher's, on its device; None where the request's inheritance needs none.
        stream: On the teacher's device. To evaluate several, keep one: each holds on to the memory it once used.

    Raises:
        NonFiniteLossError: Training diverged.
        InvalidInputError: The student cannot inherit from this teacher.
    """
    return QueuedCandidate(request, teacher, data, calibration, stream or CudaStream(teacher.device)).evaluation()


def evaluate_together(
    requests: Iterable[EvaluationRequest],
    teacher: PreTrainedModel,
    data: SearchData,
    calibration: Calibration | None = None,
    *,
    at_once: int,
    uses_graphs: bool = True,
) -> Iterator[tuple[EvaluationRequest, Evaluation | Exception]]:
    """Evaluate candidates, several of them at the same time on one GPU, with the outcomes in the order of the requests.

    Students are built and queued one after the other, without waiting for any but the oldest: so the GPU has work
    while the host builds, and small students share it. On a CPU they simply follow one another. What is computed for a
    candidate does not depend on the others; one that fails leaves them alone.

    Args:
        requests: Candidates of one search.
        teacher: As in `evaluate_candidate`.
        data: As there.
        calibration: As there.
        at_once: Candidates in the GPU's memory at the same time; one of them is being built.
        uses_graphs: See `CudaStream`.
    """
    idle = deque(CudaStream(teacher.device, uses_graphs=uses_graphs) for _ in range(at_once))
    queued: deque[tuple[EvaluationRequest, CudaStream, QueuedCandidate | Exception]] = deque()
    for request in requests:
        data = load_task(request.teacher.task).on_device(data, teacher.device)  # once for all
        if not idle:
            yield _oldest(queued, idle)
        stream = idle.popleft()
        try:
            queued.append((request, stream, QueuedCandidate(request, teacher, data, calibration, stream)))
        except Exception as error:
            queued.append((request, stream, error))
    while queued:
        yield _oldest(queued, idle)


def _oldest(
    queued: deque[tuple[EvaluationRequest, CudaStream, QueuedCandidate | Exception]], idle: deque[CudaStream]
) -> tuple[EvaluationRequest, Evaluation | Exception]:
    """The outcome of the candidate queued first, whose stream is idle from then on."""
    request, stream, candidate = queued.popleft()
    idle.append(stream)
    if isinstance(candidate, Exception):
        stream.wait()
        return request, candidate
    try:
        return request, candidate.evaluation()
    except Exception as error:
        return request, error


class QueuedCandidate:
    """A candidate whose building, training and judging is queued in a stream; on a CPU, done.

    Raises:
        NonFiniteLossError: Training diverged, on a CPU; on a GPU `evaluation` tells.
        InvalidInputError: The student cannot inherit from this teacher.
    """

    def __init__(
        self,
        request: EvaluationRequest,
        teacher: PreTrainedModel,
        data: SearchData,
        calibration: Calibration | None,
        stream: CudaStream,
    ) -> None:
        self._task = load_task(request.teacher.task)
        data = self._task.on_device(data, teacher.device)
        start = Start(
            initialization=request.initialization,
            inheritance=request.inheritance,
            seed=request.seed,
            calibration=calibration,
            task=request.teacher.task,
        )
        self._request, self._stream, self._data = request, stream, data
        with stream.work():
            self._stamps: list[Stamp] = [stream.stamp()]
            begun = _longest_phase(request)
            if begun is None:
                student = initial_student(teacher, request.architecture, start)
            else:
                family = load_family(request.architecture.family)
                student = family.build_blank_student(teacher.config, request.architecture, start.task, teacher.device)
            self._stamps.append(stream.stamp())
            self._training = StudentTraining(student, request, data, begun)
            self._training.run(stream)
            self._stamps.append(stream.stamp())
            self._judged = self._task.judge(student, data, None, request.precision)
            self._stamps.append(stream.stamp())
        self._layers = start.layers(teacher.config.num_hidden_layers, request.architecture.num_hidden_layers)

    def evaluation(self) -> Evaluation:
        """Wait for the candidate.

        Raises:
            NonFiniteLossError: Training diverged.
        """
        self._stream.wait()
        losses = self._training.losses()
        quality = self._task.quality_of(self._judged, self._data)
        _keep(self._request, self._training, quality.loss_nats)
        started, training_started, trained, ended = self._stamps
        return Evaluation(
            loss_nats=quality.loss_nats,
            loss_stderr_nats=quality.loss_stderr_nats,
            metrics=quality.metrics,
            sequence_losses_nats=quality.sequence_losses_nats,
            training_losses_nats=tuple(losses),
            num_steps=self._request.num_steps,
            wall_time_s=seconds_between(started, ended),
            training_time_s=seconds_between(training_started, trained),
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            teacher_layers=self._layers,
            first_step=self._training.first_step,
        )


def _longest_phase(request: EvaluationRequest) -> PhaseEnd | None:
    """The end of the last phase that need not be trained again; None if all must be."""
    files = request.checkpoints.earlier if request.checkpoints else ()
    return next((end for file in reversed(files) if (end := PhaseEnd.load(Path(file))) is not None), None)


def _keep(request: EvaluationRequest, training: StudentTraining, loss_nats: float) -> None:
    """Keep the weights of a candidate that may be gone on with. They are a cache, so a full disk stops no training."""
    if request.checkpoints is None or loss_nats > request.checkpoints.loss_at_most:
        return
    try:
        training.end().save(Path(request.checkpoints.last))
    except StorageError as error:
        _log.warning("a candidate's weights are not kept: %s", error)
