"""JSON names that others have taken over, written beside those for one version. The next one deletes this file."""

from __future__ import annotations

from collections.abc import Mapping

from ose.core.measurement import Metric


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
