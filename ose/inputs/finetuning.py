"""What fine-tuning and judging name, read and checked: models, labelled rows, and where a result goes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ose.core.finetuning import RECORD, FinetuningReport, FinetuningRequest, FinetuningSpec, HeadRequest
from ose.core.job import CorpusFacts
from ose.core.model_report import EvaluationQuestion
from ose.core.spec import CorpusSpec, TeacherSpec
from ose.data.unchanged import corpus_digest
from ose.errors import ConflictError, InvalidInputError, TeacherError
from ose.inputs.corpora import inspect_corpus
from ose.inputs.teacher_source import locate_teacher
from ose.inputs.teachers import require_sound_files
from ose.tasks.choice import task_of, tuned_task
from ose.tasks.onnx_folder import is_onnx
from ose.tasks.registry import require_labels, task_rules
from ose.tasks.rules import TaskRules

_DECIDES_NOTHING = ("checkpoint_every",)
"""Fields of the recipe that a run may go on with other values of."""


def inspect_finetuning(
    model: str,
    corpus_spec: CorpusSpec,
    spec: FinetuningSpec,
    *,
    output: Path,
    folder: Path,
    head: HeadRequest,
    seeds: tuple[int, ...],
    sequence_length: int | None,
    task: str | None,
    threads: int,
    device: str,
) -> FinetuningRequest:
    """Check all that can be checked without loading a model.

    Args:
        model: A directory or hub id.
        corpus_spec: The rows.
        spec: How to train.
        output: Where the model is to go.
        folder: In which fine-tunings keep what they go on from.
        head: What is asked of it.
        seeds: A model for each.
        sequence_length: Tokens an item at most, if it is said.
        task: What it is to do; None leaves that to the model.
        threads: Threads of one operation.
        device: Where to train.

    Raises:
        TeacherError: There is no encoder.
        CorpusError: The rows cannot be used.
        InvalidInputError: There is no such task, or it has no labels; no column has labels.
        ConflictError: `output` has something else in it.
    """
    source = locate_teacher(TeacherSpec(model=model))
    chosen = tuned_task(source.path, task)
    require_labels(chosen)
    require_sound_files(source, chosen)
    if corpus_spec.columns.label is None:
        raise InvalidInputError("fine-tuning needs labels: name their column with --label")
    corpus = inspect_corpus(corpus_spec, rows=True)
    request = FinetuningRequest(
        task=chosen,
        model=str(source.path),
        head=head,
        corpus=corpus,
        corpus_spec=corpus_spec,
        sequence_length=sequence_length,
        spec=spec,
        seeds=seeds,
        folder=str(folder),
        output=str(output),
        key="",
        threads=threads,
        device=device,
    )
    key = _key(request, source.digest())
    _require_free(output, key)
    return replace(request, key=key, folder=str(folder / key))


def _key(request: FinetuningRequest, model_digest: str) -> str:
    """Of everything that decides what comes out."""
    decides: dict[str, Any] = {
        "model": model_digest,
        "task": request.task,
        "head": asdict(request.head),
        "corpus": request.corpus.digest,
        "corpus_spec": _deciding(request.corpus_spec),
        "sequence_length": request.sequence_length,
        "spec": {name: value for name, value in asdict(request.spec).items() if name not in _DECIDES_NOTHING},
        "seeds": request.seeds,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def _deciding(corpus_spec: CorpusSpec) -> dict[str, Any]:
    """What of it decides what is read of the files, whose digest stands for them."""
    content = {**asdict(corpus_spec), "train": (), "validation": ()}
    return {name: value for name, value in content.items() if name != "as_is"}


def judged_on(facts: CorpusFacts) -> CorpusFacts:
    """The same text with all that it names as training files held out: models are judged on it."""
    held_out = replace(facts, validation=facts.train)
    return replace(held_out, digest=corpus_digest(held_out))


def inspect_evaluation(
    models: Sequence[str], corpus_spec: CorpusSpec, teacher: str | None, device: str
) -> tuple[str, EvaluationQuestion]:
    """Check models and data that are to be judged on all of it.

    Args:
        models: Directories or hub ids.
        corpus_spec: Its `train` is the data.
        teacher: Another one, whose answers they are held against.
        device: Where they run.

    Returns:
        The task of the models, and what they are asked.

    Raises:
        TeacherError: One is no model of a task of OSE's, or they do different ones.
        CorpusError: The data cannot be read.
        InvalidInputError: The task does not read a column that is named.
    """
    every = [*models, *([] if teacher is None else [teacher])]
    folders = [locate_teacher(TeacherSpec(model=each)) for each in every]
    places = [folder.path for folder in folders]
    tasks = [task_of(place) for place in places]
    for folder, task in zip(folders, tasks, strict=True):
        if not is_onnx(folder.path):
            require_sound_files(folder, task)
    for model, task in zip(every, tasks, strict=True):
        if task != tasks[0]:
            raise TeacherError(f"{model} does {task}, {every[0]} does {tasks[0]}; they cannot be compared")
    require_columns(corpus_spec, task_rules(tasks[0]))
    question = EvaluationQuestion(
        models=tuple(map(str, places[: len(models)])),
        corpus=judged_on(inspect_corpus(corpus_spec)),
        corpus_spec=corpus_spec,
        teacher=None if teacher is None else str(places[-1]),
        device=device,
    )
    return tasks[0], question


def require_columns(corpus_spec: CorpusSpec, rules: TaskRules) -> None:
    """Refuse a column that a task does not read.

    Raises:
        InvalidInputError: One is named.
    """
    for name, column in corpus_spec.columns.named().items():
        if name not in rules.columns:
            raise InvalidInputError(
                f"{name} is the column {column!r}, but the task {rules.name} reads {', '.join(rules.columns)} alone"
            )


def finished(request: FinetuningRequest) -> FinetuningReport | None:
    """What the output says of this very fine-tuning, if it was done before."""
    content = _record(Path(request.output))
    return FinetuningReport.from_json(content) if content.get("key") == request.key else None


def _require_free(output: Path, key: str) -> None:
    if output.resolve() == Path.cwd():
        raise ConflictError(f"{output} is the working directory; name a folder inside it with --output")
    is_free = not output.exists() or (output.is_dir() and not any(output.iterdir()))
    if not is_free and _record(output).get("key") != key:
        raise ConflictError(f"{output} exists already and is not what this command makes; choose another --output")


def _record(output: Path) -> dict[str, Any]:
    """What lies beside a fine-tuned model; nothing where there is none."""
    try:
        content = json.loads((output / RECORD).read_text(encoding="utf8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
