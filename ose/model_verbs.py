"""The verbs of a workspace about finished models: judged, timed, compared, and written for another runtime."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ose import composition
from ose.core.comparison import Comparison
from ose.core.measurement import LatencyProtocol, ModelLatency
from ose.core.model_report import EvaluationReport
from ose.core.quantization import OnnxSummary, Quantization
from ose.core.spec import CorpusSpec, TeacherSpec
from ose.core.teacher_report import TeacherReport
from ose.inputs.consistency import check_latency_protocol
from ose.inputs.finetuning import inspect_evaluation
from ose.inputs.onnx_latency import check_export, protocol_of
from ose.inputs.teacher_source import locate_teacher
from ose.inputs.teachers import inspect_teacher
from ose.store.base import Store
from ose.students.compare import compare_models, located
from ose.students.onnx_request import request_of_directory, request_of_job
from ose.tasks.onnx_folder import is_onnx


class ModelVerbs(ABC):
    """What is done with models that are trained already. `ose.Workspace` has the rest."""

    _wiring: composition.Wiring

    @property
    @abstractmethod
    def store(self) -> Store:
        """The database."""

    def evaluate(
        self,
        models: str | Path | Sequence[str | Path],
        corpus: CorpusSpec,
        *,
        teacher: str | Path | None = None,
        sequence_length: int | None = None,
        device: str = "cpu",
    ) -> EvaluationReport:
        """Judge model directories on all items of a corpus, by labels or by the text itself.

        Args:
            models: One or several; those after the first are compared with it.
            corpus: Its `train` is the data; none of it is held out.
            teacher: Another model, whose answers they are held against, too.
            sequence_length: Tokens an item at most; None is 512 of rows and 128 of text, or what the models take.
            device: `cpu` or `cuda`.

        Raises:
            InvalidInputError: A model or the data cannot be used; the message says which and why.
        """
        listed = [models] if isinstance(models, str | Path) else models
        named = None if teacher is None else str(teacher)
        task, question = inspect_evaluation([str(each) for each in listed], corpus, named, device)
        return composition.evaluate(task, question, sequence_length)

    def fill_mask(self, model: str | Path, text: str, count: int = 5) -> list[tuple[str, float]]:
        """A model directory's likeliest fillings of the first `<mask>` in `text`, with their probabilities."""
        return composition.fill_mask(Path(model), text, count)

    def look_at(self, model: str | Path) -> TeacherReport:
        """Check a model as a teacher of its task, as far as that can be told without a text: files, tensors, values.

        Raises:
            TeacherError: It cannot be one; the message says why.
        """
        return composition.look_at_teacher(inspect_teacher(TeacherSpec(model=str(model))))

    def latency(
        self,
        model: str | Path,
        protocol: LatencyProtocol | None = None,
        inputs: Sequence[tuple[int, int]] = (),
        reference: str | Path | None = None,
    ) -> tuple[ModelLatency, ...]:
        """Measure a model, whole, with every input: batch size and tokens, the protocol's if there are none.

        Without a protocol it is the usual one, and of an ONNX export its own runtime and precision.

        Raises:
            InvalidInputError: Protocol, inputs, the model or the reference beside it cannot be used.
            EvaluationError: A model cannot be run so.
        """
        timed, beside = _located(model), None if reference is None else _located(reference)
        protocol = protocol or protocol_of(timed)
        check_latency_protocol(protocol)
        inputs = inputs or protocol.inputs
        for each in (timed, beside):
            if each is not None and is_onnx(each):
                check_export(each, protocol, inputs)
        return composition.latencies_of_models(timed, beside, inputs, protocol)

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


def _located(model: str | Path) -> Path:
    """The directory of a model; of an export for ONNX Runtime it is the one that is named."""
    return Path(model).resolve() if is_onnx(Path(model)) else locate_teacher(TeacherSpec(model=str(model))).path
