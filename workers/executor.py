"""Runs requests inside a worker, keeping teacher and data loaded between them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import cast

import torch
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from ose.core.failures import failure_report
from ose.core.job import TeacherFacts
from ose.core.messages import (
    CalibrationRequest,
    DataRequest,
    DataSpan,
    EvaluationRequest,
    Event,
    LayerSubsetsRequest,
    ReferenceRequest,
    Request,
    RequestFailed,
    RequestSucceeded,
    Result,
    SavedModelRequest,
    TargetsRequest,
)
from ose.core.reference import Reference
from ose.data.unchanged import require_unchanged
from ose.distillation.candidate_evaluation import evaluate_candidate
from ose.errors import MemoryExhaustedError
from ose.extraction.calibrate import open_calibration, prepare_calibration
from ose.extraction.calibration import Calibration
from ose.extraction.subsets import score_layer_subsets
from ose.latency.timed_model import save_timed_model
from ose.tasks.base import AnsweredTexts, SearchData
from ose.tasks.registry import load_task
from ose.training.cuda_stream import CudaStream

_NO_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc")
"""How torch's CPU allocator and C++ say so, inside a plain RuntimeError."""


class RequestExecutor:
    """One worker's warm state: the last teacher and the last search's data.

    Args:
        worker: The name its events carry.
        threads: Threads of one operation.
        device: Where models run.
    """

    def __init__(self, worker: str, threads: int, device: str = "cpu") -> None:
        self._worker = worker
        self._device = device
        self._teacher: tuple[TeacherFacts, PreTrainedModel] | None = None
        self._data: tuple[tuple[str, tuple[DataSpan, ...]], SearchData] | None = None
        self._calibration: tuple[str, Calibration] | None = None
        self._stream: CudaStream | None = None
        torch.set_num_threads(threads)
        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()

    def run(self, request: Request) -> Event:
        """Do the request. Whatever goes wrong becomes an event; only an interrupt passes through."""
        try:
            result = self._result(request)
        except Exception as error:
            return RequestFailed(request_id=request.id, worker=self._worker, failure=failure_report(_translated(error)))
        return RequestSucceeded(request_id=request.id, worker=self._worker, result=result)

    def _result(self, request: Request) -> Result:
        match request:
            case DataRequest():
                require_unchanged(request.corpus)
                return load_task(request.teacher.task).prepare(request)
            case TargetsRequest():
                return load_task(request.teacher.task).compute_targets(request, self._loaded(request.teacher))
            case CalibrationRequest():
                prepare_calibration(request, self._loaded(request.teacher))
                return None
            case EvaluationRequest():
                teacher = self._loaded(request.teacher)
                calibration = self._calibration_in(request.calibration) if request.calibration else None
                self._stream = self._stream or CudaStream(teacher.device)
                data = self._data_in(request.teacher.task, request.folder, request.later_data)
                data = _labelled(request.teacher.task, data) if request.learns == "labels" else data
                return evaluate_candidate(request, teacher, data, calibration, self._stream)
            case ReferenceRequest():
                data = self._data_in(request.teacher.task, request.folder, request.later_data)
                return _make_reference(request, self._loaded(request.teacher), data)
            case LayerSubsetsRequest():
                teacher = self._loaded(request.teacher)
                calibration = self._calibration_in(request.calibration) if request.calibration else None
                data = self._data_in(request.teacher.task, request.folder)
                return score_layer_subsets(request, teacher, data, calibration)
            case SavedModelRequest():
                save_timed_model(request)
                return None

    def _loaded(self, teacher: TeacherFacts) -> PreTrainedModel:
        if self._teacher is None or self._teacher[0] != teacher:
            model = load_task(teacher.task).load_teacher(teacher.path, teacher.digest)
            self._teacher = (teacher, model.to(torch.device(self._device)))  # type: ignore[arg-type] # transformers wraps it
        return self._teacher[1]

    def _data_in(self, name: str, folder: str, later: tuple[DataSpan, ...] = ()) -> SearchData:
        if self._data is None or self._data[0] != (folder, later):
            task = load_task(name)
            data = task.on_device(task.load_data(Path(folder), later), torch.device(self._device))
            self._data = ((folder, later), data)
        return self._data[1]

    def _calibration_in(self, folder: str) -> Calibration:
        if self._calibration is None or self._calibration[0] != folder:
            self._calibration = (folder, open_calibration(Path(folder)).to(self._device))
        return self._calibration[1]


def _make_reference(request: ReferenceRequest, teacher: PreTrainedModel, data: SearchData) -> Reference:
    from ose.baselines.make import make_reference  # scikit-learn takes a second to load, and few requests are for it

    return make_reference(request, teacher, cast(AnsweredTexts, data))


def _labelled(name: str, data: SearchData) -> SearchData:
    references = load_task(name).references
    assert references is not None
    labelled: SearchData = references.labelled(data)
    return labelled


def _translated(error: Exception) -> Exception:
    """Recognise the forms in which memory runs out; anything else stays what it is."""
    if not _is_exhausted_memory(error):
        return error
    translated = MemoryExhaustedError(f"out of memory: {error}")
    translated.__cause__ = error
    return translated


def _is_exhausted_memory(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    told = isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)
    return told or isinstance(error, MemoryError | torch.OutOfMemoryError)
