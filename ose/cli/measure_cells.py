"""Cells of tables that measurements stand in."""

from __future__ import annotations

from collections.abc import Mapping

from ose.core.measurement import Metric, metric_text
from ose.core.metric_names import SHARE_KEPT, SHARE_OF_LEAD

METRIC_TITLES = {
    "masked_accuracy": "right",
    "masked_lm_loss_nats": None,
    SHARE_KEPT: "kept",
    SHARE_OF_LEAD: "lead",
}
"""Short titles of metrics, None of those that are left to JSON and CSV. All others go by their names."""


def metric_cells(measured: Mapping[str, Metric], shown: Mapping[str, bool]) -> dict[str, str]:
    """Cells by their titles.

    Args:
        measured: A model's metrics.
        shown: Those that have a column, and whether with their errors.
    """
    return {METRIC_TITLES.get(name) or name: _metric(name, measured.get(name), shown[name]) for name in shown}


def _metric(name: str, metric: Metric | None, has_error: bool) -> str:
    if metric is None:
        return ""
    if name == SHARE_OF_LEAD and metric.stderr is not None:  # never known to a tenth of a percent
        return f"{metric.value:.0%} ±{metric.stderr:.0%}"
    value = metric_text(name, metric.value)
    return value if metric.stderr is None or not has_error else f"{value} ±{metric_text(name, metric.stderr)}"


def millions(count: int | None) -> str:
    """A number of parameters."""
    return "" if count is None else f"{count / 1e6:,.2f}M"


def latency(value: float | None, is_flagged: bool | None) -> str:
    """Milliseconds, with a mark if they are not to be believed."""
    return figure(value, 2) + ("!" if is_flagged else "")


def figure(value: float | None, digits: int) -> str:
    """A number."""
    return "" if value is None else f"{value:,.{digits}f}"
