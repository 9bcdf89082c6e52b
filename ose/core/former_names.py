"""JSON names that others have taken over, written beside those, or read, for one version.

The next one deletes this file, but for what reads the jobs of a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ose.core.measurement import Metric
from ose.core.recipe import DistillationSpec
from ose.errors import JobFileError


def former_figures(metrics: Mapping[str, Metric]) -> dict[str, float | None]:
    """What a row, a teacher and an evaluation had; null where it is not measured."""
    names = ("masked_lm_loss_nats", "masked_accuracy")
    return {name: metrics[name].value if name in metrics else None for name in names}


def former_result(metrics: Mapping[str, Metric]) -> dict[str, float | None]:
    """What the result of a distillation had."""
    accuracy = metrics.get("masked_accuracy")
    return {**former_figures(metrics), "masked_accuracy_stderr": accuracy.stderr if accuracy else None}


def former_phases(earlier_phases: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """What a candidate had."""
    return {"earlier_legs": earlier_phases}


def with_columns(spec: Mapping[str, Any], source: str = "job") -> dict[str, Any]:
    """The content of a job in which `corpus.text_field` stands as `corpus.columns.text`, which it was called before.

    Args:
        spec: As JSON or a job file has it; what has the wrong type is left as it is.
        source: What messages call it.

    Raises:
        JobFileError: Both are given.
    """
    corpus = spec.get("corpus")
    if not isinstance(corpus, Mapping) or "text_field" not in corpus:
        return dict(spec)
    if "columns" in corpus:
        raise JobFileError(
            f"{source}: corpus.text_field is a former name of corpus.columns.text; give corpus.columns alone"
        )
    others = {name: value for name, value in corpus.items() if name != "text_field"}
    return {**spec, "corpus": {**others, "columns": {"text": corpus["text_field"]}}}


def without_attempts(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a job without `latency.max_attempts`: what was disturbed was measured anew in those days."""
    latency = spec.get("latency")
    if not isinstance(latency, Mapping) or "max_attempts" not in latency:
        return dict(spec)
    return {**spec, "latency": {name: value for name, value in latency.items() if name != "max_attempts"}}


def former_corpus(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """A corpus as it was hashed before it had columns, where it has nothing that did not exist then."""
    now = {"columns": {**corpus["columns"], "text": None}, **{name: corpus[name] for name in _SINCE_COLUMNS}}
    if now != {"columns": dict.fromkeys(corpus["columns"]), **_SINCE_COLUMNS}:
        return dict(corpus)
    others = {name: value for name, value in corpus.items() if name not in now}
    return {**others, "text_field": corpus["columns"]["text"]}


_SINCE_COLUMNS = {"skip_bad_rows": 0.0, "quotes": "auto", "general": ()}
"""Fields that came with the columns, and what stands for them not being there."""


def former_recipe(spec: DistillationSpec) -> dict[str, Any]:
    """A recipe as jobs and folders were named by before classifiers had theirs, where it has nothing of that."""
    content = asdict(spec)
    weights = {name: value for name, value in content["weights"].items() if value or name not in _NEWER_WEIGHTS}
    others = {name: value for name, value in content.items() if value or name not in _NEWER_FIELDS}
    return {**others, "weights": weights}


_NEWER_WEIGHTS, _NEWER_FIELDS = ("logits", "labels"), ("augmentation", "general_steps")
"""Those that came later; nothing, or zero, is what was meant before."""
