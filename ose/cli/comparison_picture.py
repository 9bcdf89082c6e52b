"""One picture of a comparison: quality against latency, each model a point as large as its file."""

from __future__ import annotations

from pathlib import Path

from ose.artifacts.files import storage_errors
from ose.core.comparison import Comparison
from ose.core.metric_names import metric_label
from ose.errors import InvalidInputError

_SUFFIXES = (".svg", ".png", ".pdf")


def draw(found: Comparison, file: Path) -> None:
    """Draw a comparison; without quality, size against latency.

    Args:
        found: What was measured.
        file: Where to; its suffix says in which form.

    Raises:
        InvalidInputError: It has another suffix.
        StorageError: It cannot be written.
    """
    from matplotlib.figure import Figure

    if file.suffix not in _SUFFIXES:
        raise InvalidInputError(f"--picture must end in {', '.join(_SUFFIXES)}, not {file.name[-20:]!r}")
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    name = next(iter(found.models[0].metrics), None)
    for model in found.models:
        metric = None if name is None else model.metrics[name]
        height = model.size_bytes / 1e6 if metric is None else metric.value
        error = None if metric is None else metric.stderr
        axes.errorbar(model.latency_p50_ms, height, yerr=error, fmt="o", markersize=4 + (model.size_bytes / 4e6) ** 0.5)
        label = f"{model.name} ({model.runtime} {model.precision})"
        axes.annotate(label, (model.latency_p50_ms, height), xytext=(6, 6), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("latency p50, ms")
    axes.set_ylabel("MB" if name is None else metric_label(name))
    with storage_errors(file):
        figure.savefig(file)
