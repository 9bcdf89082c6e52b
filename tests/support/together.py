"""Distil in several real processes that train together, without Ray."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from searches import PLAIN_START
from torch import distributed

from ose.core.architecture import Architecture
from ose.core.recipe import DistillationSpec
from ose.distillation.run import DistillationRun, distill
from ose.extraction.initial import initial_student
from ose.tasks.fill_mask.batches import batches_of
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer
from ose.tasks.registry import load_task
from ose.tasks.text_classification.augmentation import Augmentation
from ose.tasks.text_classification.batches import batches_of as labelled_batches
from ose.tasks.text_classification.batches import general_batches_of
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.words import TokenKinds, nearest_words, single_token_words
from ose.training.parallel import rank


@dataclass(frozen=True)
class Work:
    """What every process is told."""

    teacher: str
    shape: Architecture
    spec: DistillationSpec
    text: np.ndarray | Sequence[np.ndarray]
    folder: Path

    def run(self) -> DistillationRun:
        """Everything loaded."""
        teacher, tokenizer = load_masked_lm(self.teacher), load_tokenizer(self.teacher)
        return DistillationRun(
            task=load_task("fill_mask"),
            spec=self.spec,
            teacher=teacher,
            student=initial_student(teacher, self.shape, PLAIN_START),
            tokenizer=tokenizer,
            batches=batches_of(self.text, self.spec, tokenizer),
            folder=self.folder,
        )


@dataclass(frozen=True)
class LabelledWork(Work):
    """The same of a classifier: `text` is that without labels, which comes first."""

    items: TextItems

    def run(self) -> DistillationRun:
        task = load_task("text_classification")
        teacher, tokenizer = task.load_teacher(self.teacher), task.load_tokenizer(self.teacher)
        kinds = TokenKinds.of(tokenizer, len(tokenizer))
        near = nearest_words(teacher.get_input_embeddings().weight, single_token_words(self.items, kinds))
        assert self.spec.augmentation is not None
        change = Augmentation(spec=self.spec.augmentation, kinds=kinds, neighbours=near)
        return DistillationRun(
            task=task,
            spec=self.spec,
            teacher=teacher,
            student=initial_student(teacher, self.shape, replace(PLAIN_START, task="text_classification")),
            tokenizer=tokenizer,
            batches=labelled_batches(self.items, self.spec, change),
            folder=self.folder,
            general=general_batches_of(np.asarray(self.text), self.spec),
        )


@dataclass(frozen=True)
class Outcome:
    """What a process has seen: the losses by step, and a digest of its weights; or its error's code."""

    curve: dict[int, dict[str, float]]
    weights: float
    error: str | None = None


def distill_alone(work: Work, last_step: int | None = None) -> Outcome:
    """Distil in this process, as one of a group if it is in one. Stops after `last_step` as if interrupted."""
    torch.manual_seed(rank())  # whatever is random must not depend on where a process stands
    run = work.run()
    curve: dict[int, dict[str, float]] = {}

    def on_step(step: int, losses: Any) -> None:
        curve[step] = asdict(losses)
        if step == last_step:
            raise InterruptedError

    error = None
    try:
        distill(run, on_step)
    except Exception as failure:
        error = getattr(failure, "code", type(failure).__name__)
    return Outcome(curve, sum(weight.double().sum().item() for weight in run.student.parameters()), error)


class Group:
    """Processes that are kept: starting them takes longer than what they do."""

    def __init__(self, pool: ProcessPoolExecutor, size: int, folder: Path) -> None:
        self._pool, self._size, self._folder = pool, size, folder
        self._count = 0

    def distill(self, work: Work, last_step: int | None = None) -> list[Outcome]:
        """What each process has seen."""
        self._count += 1
        store = str(self._folder / f"store-{self._count}")
        futures = [
            self._pool.submit(_distill_in_group, n, self._size, store, work, last_step) for n in range(self._size)
        ]
        return [future.result(timeout=120) for future in futures]


@contextmanager
def group_of(size: int, folder: Path) -> Iterator[Group]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(size, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield Group(pool, size, folder)


def _distill_in_group(number: int, size: int, store: str, work: Work, last_step: int | None) -> Outcome:
    distributed.init_process_group("gloo", store=distributed.FileStore(store, size), rank=number, world_size=size)
    try:
        return distill_alone(work, last_step)
    finally:
        distributed.destroy_process_group()
