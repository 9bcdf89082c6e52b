"""A model that is trained on labels: what is asked for, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal, Self

from ose.core.bounds import BATCH, FACTOR, SEED, SHARE, STEPS, Bounds, require_bounds
from ose.core.job import CorpusFacts
from ose.core.measurement import Metric
from ose.core.model_report import Spread, spreads
from ose.core.recipe import Precision
from ose.core.spec import CorpusSpec
from ose.errors import InvalidInputError

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
"""Hugging Face's `problem_type`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuningSpec:
    """How a model is trained on labels.

    Attributes:
        epochs: Times that each item is seen.
        steps: Optimiser steps in their place.
        batch_size: Items a step.
        micro_batch_size: Items at once at most; a step accumulates over them, and those of a micro-batch have about
            one length.
        learning_rate: Peak; linear warm-up, then linear decay to zero.
        warmup_fraction: Share of the steps of warm-up.
        weight_decay: Of matrices.
        betas: Of AdamW.
        max_grad_norm: Gradients are clipped to this global norm.
        precision: Of the arithmetic; `auto` takes bfloat16 where the processor multiplies it natively.
        checkpoint_every: Steps between checkpoints.
        seed: Decides a new head's weights, dropout and batch order.
    """

    epochs: Annotated[float, Bounds(1e-6, 10_000)] = 3.0
    steps: Annotated[int | None, STEPS] = None
    batch_size: Annotated[int, BATCH] = 32
    micro_batch_size: Annotated[int, BATCH] = 16
    learning_rate: Annotated[float, Bounds(1e-12, 100)] = 5e-5
    warmup_fraction: Annotated[float, SHARE] = 0.1
    weight_decay: Annotated[float, Bounds(0, 1_000)] = 0.01
    betas: Annotated[tuple[float, float], SHARE] = (0.9, 0.999)
    max_grad_norm: Annotated[float, FACTOR] = 1.0
    precision: Precision = "auto"
    checkpoint_every: Annotated[int, STEPS] = 200
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_fraction < 1:
            raise InvalidInputError(f"warmup_fraction must be in [0, 1), not {self.warmup_fraction}")
        require_bounds(self)

    def num_steps(self, num_items: int) -> int:
        """Optimiser steps in all, on so many items."""
        return self.steps or max(1, math.ceil(self.epochs * num_items / self.batch_size))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRequest:
    """Which outputs a model is to have. Without any of these they are its own, or follow from the data.

    Attributes:
        labels: Names by id.
        problem_type: What the outputs mean.
        is_new: A head that is there gives way to a new one.
    """

    labels: tuple[str, ...] = ()
    problem_type: ProblemType | None = None
    is_new: bool = False

    def __post_init__(self) -> None:
        if len(set(self.labels)) < len(self.labels) or not all(name.strip() for name in self.labels):
            raise InvalidInputError("labels must be different names, none of them empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuningRequest:
    """Train a model on labels, once for each seed.

    Attributes:
        task: What it is to do.
        model: A directory with an encoder, or with a model that does the task already.
        corpus, corpus_spec: Labelled rows; a part of them is held out where no validation file is named.
        sequence_length: Tokens an item at most; None is 128, or what the model takes if that is less.
        folder: Checkpoints and logs.
        output: Where the model goes.
        key: Names everything that decides the result; an output tells by it that it is this one.
        threads: Threads of one operation.
        device: Where to train.
    """

    task: str
    model: str
    head: HeadRequest
    corpus: CorpusFacts
    corpus_spec: CorpusSpec
    sequence_length: int | None
    spec: FinetuningSpec
    seeds: tuple[int, ...]
    folder: str
    output: str
    key: str
    threads: int
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedModel:
    """The model of one seed, judged on the validation part.

    Attributes:
        wall_time_s: Of its training, all sessions together.
        metrics: The headline first, of which more is better.
    """

    seed: int
    num_steps: int
    wall_time_s: float
    metrics: Mapping[str, Metric]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `asdict` gave."""
        return cls(**{**content, "metrics": {name: Metric(**each) for name, each in content["metrics"].items()}})


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuningReport:
    """What fine-tuning has given.

    Attributes:
        labels: Names by id; empty of one number.
        share_cut: Of the items, those that were longer than the sequence length.
        overlap_share: Of the validation items, those whose text also stands in the training part.
        labels_without_example: Those that no training item has.
        models: One for each seed.
    """

    problem_type: ProblemType
    labels: tuple[str, ...]
    num_train: int
    num_validation: int
    sequence_length: int
    share_cut: float
    overlap_share: float
    labels_without_example: tuple[str, ...]
    models: tuple[TunedModel, ...]

    @property
    def best(self) -> TunedModel:
        """The best by the first metric; of equals the first."""
        return max(self.models, key=lambda each: next(iter(each.metrics.values())).value)

    @property
    def spread(self) -> dict[str, Spread]:
        """Over the seeds; empty of one."""
        return spreads([each.metrics for each in self.models])

    def to_json(self) -> dict[str, Any]:
        """As plain values, with the best seed and the spread."""
        spread = {name: asdict(each) for name, each in self.spread.items()}
        return {**asdict(self), "best_seed": self.best.seed, "spread": spread}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        kept = {each.name: content[each.name] for each in fields(cls)}
        listed = {name: tuple(kept[name]) for name in ("labels", "labels_without_example")}
        return cls(**{**kept, **listed, "models": tuple(map(TunedModel.from_json, kept["models"]))})


RECORD = "finetuning.json"
"""Beside a fine-tuned model: how it was made, and how good it became."""
