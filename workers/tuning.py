"""Fine-tuning, and the judging of finished models: work that is done once, in the caller's process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ose.artifacts.files import atomic_directory, write_json
from ose.core.finetuning import RECORD, FinetuningReport, FinetuningRequest, TunedModel
from ose.core.model_report import EvaluationQuestion, EvaluationReport
from ose.core.progress import Progress, step_reporter
from ose.distillation.finetune import FinetuningRun, finetune
from ose.errors import DependencyError, InvalidInputError
from ose.inputs.teacher_config import longest_sequence
from ose.tasks.base import Task
from ose.tasks.labelled import LabelledData, LabelledTask, load_labelled_task
from ose.tasks.registry import load_task
from ose.tasks.teacher_folder import TeacherFolder
from ose.workers.foreground import quieten

_MODEL, _TUNED = "model", "tuned.json"
_TRAINING_LENGTH, _EVALUATION_LENGTH = 128, 512
"""Tokens an item at most where none are asked for: training is quicker on few, official figures cut next to nothing."""


def run_finetuning(request: FinetuningRequest, progress: Progress) -> FinetuningReport:
    """Train a model for each seed and write the best on the validation part; of several, each in a folder beside it.

    Asked again it goes on from the newest checkpoint.

    Raises:
        OseError: Whatever went wrong; run it again to go on.
    """
    quieten()
    _require_device(request.device)
    torch.set_num_threads(request.threads)
    task = load_labelled_task(request.task)
    tokenizer = task.load_tokenizer(request.model)
    length = _sequence_length(task, [request.model], request.sequence_length, _TRAINING_LENGTH)
    request = replace(request, corpus_spec=replace(request.corpus_spec, sequence_length=length))
    progress.say(f"reading the data, at most {length} tokens an item")
    data = task.labelled_data(request, tokenizer)
    for line in _warnings(data):
        progress.say(line)
    report = FinetuningReport(
        problem_type=data.problem_type,
        labels=data.labels,
        num_train=data.num_train,
        num_validation=data.num_validation,
        sequence_length=length,
        share_cut=data.share_cut,
        overlap_share=data.overlap_share,
        labels_without_example=data.labels_without_example,
        models=tuple(_tuned(task, request, data, seed, progress) for seed in request.seeds),
    )
    _write(request, report)
    return report


def run_evaluation(task: str, question: EvaluationQuestion, sequence_length: int | None) -> EvaluationReport:
    """Judge model directories.

    Raises:
        OseError: One cannot be loaded, or the data not be used.
    """
    quieten()
    _require_device(question.device)
    loaded = load_task(task)
    usual = _EVALUATION_LENGTH if loaded.rules.reads_rows else _TRAINING_LENGTH
    places = [*question.models, *([] if question.teacher is None else [question.teacher])]
    length = _sequence_length(loaded, places, sequence_length, usual)
    return loaded.evaluate(replace(question, corpus_spec=replace(question.corpus_spec, sequence_length=length)))


def _require_device(device: str) -> None:
    try:
        asked = torch.device(device)
    except RuntimeError:
        raise InvalidInputError(f"device must be cpu, cuda or cuda:N, not {device[:60]!r}") from None
    if asked.type != "cpu" and not (asked.type == "cuda" and (asked.index or 0) < torch.cuda.device_count()):
        raise DependencyError(f"there is no device {device[:60]!r} here")


def _sequence_length(task: Task, models: Sequence[str], asked: int | None, usual: int) -> int:
    for each in models:
        bound = min(longest_sequence(TeacherFolder(Path(each))), task.load_tokenizer(each).model_max_length)
        if asked is not None and asked > bound:
            raise InvalidInputError(f"{each} takes {bound} tokens at most, not {asked}")
        usual = min(usual, bound)
    return usual if asked is None else asked


def _warnings(data: LabelledData) -> list[str]:
    lines = [f"{data.num_train:,} items to train on, {data.num_validation:,} held out"]
    if data.share_cut:
        lines.append(f"{data.share_cut:.1%} of the items fill the sequence length or are cut to it")
    if data.overlap_share:
        lines.append(f"{data.overlap_share:.1%} of the held-out texts are also trained on")
    if missing := data.labels_without_example:
        lines.append(f"no training item has the label {', '.join(missing[:8])}{' and others' * (len(missing) > 8)}")
    return lines


def _tuned(
    task: LabelledTask, request: FinetuningRequest, data: LabelledData, seed: int, progress: Progress
) -> TunedModel:
    """The model of one seed, trained unless it is there."""
    folder = _folder(request, seed)
    if (folder / _TUNED).exists():
        return TunedModel.from_json(json.loads((folder / _TUNED).read_text(encoding="utf8")))
    spec, num_steps = replace(request.spec, seed=seed), request.spec.num_steps(data.num_train)
    run = FinetuningRun(
        task=task,
        spec=spec,
        num_steps=num_steps,
        model=task.trainable_model(request.model, data, seed).to(torch.device(request.device)),  # type: ignore[arg-type] # transformers wraps it
        batches=task.label_batches(data.train, spec),
        folder=folder,
    )
    progress.stage(f"Fine-tuning {Path(request.model).name}, seed {seed}", num_steps)
    wall_time_s = finetune(run, step_reporter(progress))
    metrics = task.label_metrics(run.model, data.validation)
    found = TunedModel(seed=seed, num_steps=num_steps, wall_time_s=wall_time_s, metrics=metrics)
    _save(task, request, run, found)
    return found


def _save(task: LabelledTask, request: FinetuningRequest, run: FinetuningRun, found: TunedModel) -> None:
    """Keep the model of one seed until all are there; its checkpoints have done their service."""
    with atomic_directory(run.folder / _MODEL) as target:
        run.model.save_pretrained(target)
        task.load_tokenizer(request.model).save_pretrained(target)
    write_json(run.folder / _TUNED, asdict(found))
    shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)


def _write(request: FinetuningRequest, report: FinetuningReport) -> None:
    """Put the models where they are wanted, and drop what they were made in."""
    with atomic_directory(Path(request.output)) as target:
        shutil.copytree(_folder(request, report.best.seed) / _MODEL, target, dirs_exist_ok=True)
        for each in report.models if len(report.models) > 1 else ():
            shutil.copytree(_folder(request, each.seed) / _MODEL, target / f"seed-{each.seed}")
        facts = {"key": request.key, "task": request.task, "spec": asdict(request.spec), **report.to_json()}
        (target / RECORD).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf8")
    shutil.rmtree(request.folder)


def _folder(request: FinetuningRequest, seed: int) -> Path:
    return Path(request.folder) / f"seed-{seed}"
