"""What is asked for when a model is to be written as ONNX: a directory's, or the student of a job."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ose.core.job import Job
from ose.core.quantization import CorpusPart, OnnxRequest, Quantization
from ose.core.spec import CorpusSpec, TeacherSpec
from ose.errors import InvalidInputError
from ose.inputs.corpora import inspect_corpus
from ose.inputs.finetuning import judged_on, require_columns
from ose.inputs.teacher_source import locate_teacher
from ose.store.base import Store
from ose.students.distill import find_distillation
from ose.students.manifest import student_manifest
from ose.tasks.choice import task_of
from ose.tasks.onnx_folder import is_onnx
from ose.tasks.onnx_session import require_packages
from ose.tasks.registry import task_rules


def request_of_directory(
    model: Path,
    output: Path,
    quantization: Quantization | None,
    data: CorpusSpec | None,
    calibration: CorpusSpec | None,
) -> OnnxRequest:
    """Check what can be checked of a model directory without loading it.

    Args:
        model: The directory.
        output: Where to.
        quantization: None leaves it in float32.
        data: Held-out text, for the gate.
        calibration: Text for the static method.

    Raises:
        DependencyError: The extra is not installed.
        TeacherError: There is no model of a task of OSE's.
        CorpusError: A text cannot be read.
        InvalidInputError: The gate or the static method has no text.
    """
    require_packages()
    folder = locate_teacher(TeacherSpec(model=str(model))).path
    if is_onnx(folder):
        raise InvalidInputError(f"{model} is an ONNX export already; name the model that it was made of")
    task = task_of(folder)
    request = OnnxRequest(
        task=task,
        folder=str(folder),
        output=str(output),
        manifest={"ose_version": version("ose"), "task": task, "model": folder.name},
        quantization=quantization,
    )
    return _with_text(request, data, calibration)


def request_of_job(
    store: Store,
    job: Job,
    candidate: int | None,
    output: Path,
    quantization: Quantization | None,
    data: CorpusSpec | None,
    calibration: CorpusSpec | None,
) -> OnnxRequest:
    """The same of a distilled student, which has its job's text where none is named.

    Raises:
        OseError: As of a directory; or nothing has been distilled yet.
    """
    require_packages()
    distillation = find_distillation(store, job, candidate)
    assert distillation.result is not None
    part = CorpusPart(facts=job.corpus, spec=job.spec.corpus)
    request = OnnxRequest(
        task=job.teacher.task,
        folder=distillation.result.student_path,
        output=str(output),
        manifest=student_manifest(store, job, distillation),
        quantization=quantization,
        held_out=part,
        calibration=part,
    )
    return _with_text(request, data, calibration)


def _with_text(request: OnnxRequest, data: CorpusSpec | None, calibration: CorpusSpec | None) -> OnnxRequest:
    spec = request.quantization
    if spec is None and (data or calibration):
        raise InvalidInputError("text is for quantising alone: add --quantize, or leave out --data and --calibration")
    if spec is None:
        return replace(request, held_out=None, calibration=None)
    held_out = request.held_out if data is None else _part(data, request.task)
    texts = request.calibration if calibration is None else _part(calibration, request.task)
    if spec.method == "static" and texts is None:
        raise InvalidInputError("static quantisation measures activations on text: name some with --calibration FILE")
    if spec.gate is not None and held_out is None:
        raise InvalidInputError(
            "the gate holds int8 against float32 on held-out text: name some with --data FILE, "
            "or leave it out with --gate off"
        )
    return replace(
        request,
        held_out=None if spec.gate is None else held_out,
        calibration=texts if spec.method == "static" else None,
    )


def _part(spec: CorpusSpec, task: str) -> CorpusPart:
    require_columns(spec, task_rules(task))
    return CorpusPart(facts=judged_on(inspect_corpus(spec)), spec=spec)
