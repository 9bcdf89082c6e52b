"""The verbs of a workspace about finished models: written for another runtime, and compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ose import composition
from ose.core.comparison import Comparison
from ose.core.measurement import LatencyMeasurement, LatencyProtocol
from ose.core.model_report import EvaluationReport
from ose.core.quantization import OnnxSummary, Quantization
from ose.core.spec import CorpusSpec
from ose.store.base import Store
from ose.students.compare import compare_models, located
from ose.students.onnx_request import request_of_directory, request_of_job


class ModelVerbs(ABC):
    """What is done with models that are trained already. `ose.Workspace` has the rest."""

    _wiring: composition.Wiring

    @property
    @abstractmethod
    def store(self) -> Store:
        """The database."""

    @abstractmethod
    def evaluate(
        self,
        models: str | Path | Sequence[str | Path],
        corpus: CorpusSpec,
        *,
        teacher: str | Path | None = None,
        sequence_length: int | None = None,
        device: str = "cpu",
    ) -> EvaluationReport:
        """Judge model directories."""

    @abstractmethod
    def latency(self, model: str | Path, protocol: LatencyProtocol | None = None) -> LatencyMeasurement:
        """Measure a model directory."""

    def export_onnx(
        self,
        model: str | Path,
        output: str | Path,
        *,
        candidate: int | None = None,
        quantization: Quantization | None = None,
        data: CorpusSpec | None = None,
        calibration: CorpusSpec | None = None,
    ) -> OnnxSummary:
        """Write a model as a directory that ONNX Runtime runs, with its logits held against torch's.

        Args:
            model: A job whose student has been distilled, by its id; or a model directory.
            output: A directory that does not exist yet.
            candidate: Of a job; None takes the one that was distilled last.
            quantization: To int8, held against float32 by its gate; None leaves float32.
            data: Its `train` is what the gate is asked on; None takes the job's held-out text.
            calibration: Text for the static method; None takes the job's.

        Raises:
            InvalidInputError: Model or text cannot be used, or text is missing.
            ConflictError: `output` is not empty, or the file does not say what the model says.
            DependencyError: The extra `onnx` is not installed.
        """
        if Path(model).is_dir():
            request = request_of_directory(Path(model), Path(output), quantization, data, calibration)
        else:
            job = self.store.job(str(model))
            request = request_of_job(self.store, job, candidate, Path(output), quantization, data, calibration)
        return self._wiring.export_onnx(request)

    def compare(
        self,
        models: Sequence[str],
        corpus: CorpusSpec | None = None,
        protocol: LatencyProtocol | None = None,
        *,
        sequence_length: int | None = None,
    ) -> Comparison:
        """Put models beside one another: size, latency where each runs, and quality held against the first.

        Args:
            models: Directories, ONNX exports, and distilled candidates as `JOB:NUMBER`; the first is what the others
                are compared with.
            corpus: Its `train` is what they are judged on; None judges nothing.
            protocol: Threads, batch and length, the same for all. Each runs by its own runtime in its own precision.
            sequence_length: Tokens of a judged item at most; None is 512, or what the models take.

        Raises:
            InvalidInputError: A model or the data cannot be used; the message says which and why.
        """
        places = [located(self.store, each) for each in models]
        report = None
        if corpus is not None:
            report = self.evaluate(places, corpus, teacher=places[0], sequence_length=sequence_length)
        return compare_models(models, places, report, self.latency, protocol or LatencyProtocol())
