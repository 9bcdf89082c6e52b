"""Models side by side: what each is, how fast it runs where it runs, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ose.core.comparison import ComparedModel, Comparison
from ose.core.measurement import LatencyProtocol, ModelLatency
from ose.core.model_report import EvaluationReport, ModelReport
from ose.core.spec import TeacherSpec
from ose.errors import InvalidInputError
from ose.inputs.teachers import inspect_teacher
from ose.store.base import Store
from ose.students.distill import find_distillation
from ose.tasks.onnx_folder import ONNX_FILE, is_onnx, onnx_facts
from ose.tasks.teacher_folder import TeacherFolder

Measure = Callable[[Path, LatencyProtocol], tuple[ModelLatency, ...]]


def located(store: Store, model: str) -> Path:
    """The directory of a model: itself, or that of a distilled candidate, `JOB:NUMBER`.

    Raises:
        InvalidInputError: It is neither.
        NotFoundError: There is no such job, or its candidate has not been distilled.
    """
    if Path(model).is_dir():
        return Path(model)
    job_id, colon, number = model.partition(":")
    if not (colon and number.isdigit()):
        raise InvalidInputError(f"{model} is no directory; a distilled candidate is named as JOB:NUMBER")
    distillation = find_distillation(store, store.job(job_id), int(number))
    assert distillation.result is not None
    return Path(distillation.result.student_path)


def compare_models(
    names: Sequence[str],
    places: Sequence[Path],
    report: EvaluationReport | None,
    measure: Measure,
    protocol: LatencyProtocol,
) -> Comparison:
    """Measure models one after the other, by one protocol, and put what is known of them together.

    Args:
        names: What they are called.
        places: Their directories.
        report: How good they are, in the same order, held against the first; None if they were not judged.
        measure: Takes a latency.
        protocol: Threads, batch and length.

    Raises:
        InvalidInputError: A model cannot be used.
    """
    models = []
    for index, (name, place) in enumerate(zip(names, places, strict=True)):
        told = None if report is None else report.models[index]
        models.append(_compared(name, place, told, report, measure, protocol))
    return Comparison(protocol=protocol, num_items=report.num_items if report else None, models=tuple(models))


def _compared(
    name: str,
    place: Path,
    told: ModelReport | None,
    report: EvaluationReport | None,
    measure: Measure,
    protocol: LatencyProtocol,
) -> ComparedModel:
    of_file = onnx_facts(place) if is_onnx(place) else None
    runs = replace(
        protocol,
        runtime="torch" if of_file is None else "onnxruntime",
        dtype=protocol.dtype if of_file is None else of_file["precision"],
    )
    measured = measure(place, runs)[0].latency
    return ComparedModel(
        name=name,
        num_parameters=_num_parameters(place, of_file),
        size_bytes=_size_bytes(place),
        runtime=runs.runtime,
        precision=runs.dtype,
        latency_p50_ms=measured.p50_ms,
        latency_p90_ms=measured.p90_ms,
        latency_flagged=measured.is_flagged,
        metrics={} if told is None else told.metrics,
        differences={} if told is None else told.differences,
        share_kept=None if told is None or report is None else _share_kept(told, report.models[0]),
    )


def _num_parameters(place: Path, of_file: Mapping[str, object] | None) -> int:
    if of_file is None:
        return inspect_teacher(TeacherSpec(model=str(place))).num_parameters
    number = of_file.get("num_parameters")
    return number if isinstance(number, int) else 0


def _size_bytes(place: Path) -> int:
    names = (ONNX_FILE,) if is_onnx(place) else TeacherFolder(place).weights()
    return sum((place / name).stat().st_size for name in names)


def _share_kept(model: ModelReport, first: ModelReport) -> float | None:
    name = next(iter(first.metrics))
    whole = first.metrics[name].value
    return model.metrics[name].value / whole if whole > 0 and not name.endswith("_nats") else None
