"""Models side by side, as figures and as rows of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ose.core.measurement import LatencyProtocol, Metric, text_with_error
from ose.core.metric_names import metric_label
from ose.core.shown import markdown
from ose.core.significance import is_significant


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel:
    """One model.

    Attributes:
        name: As it was asked for.
        size_bytes: Of the file of its weights, or of its graph.
        runtime: What ran it, in `precision`.
        latency_flagged: Whether the latency was disturbed.
        metrics: Of the items, the first one first, `agreement` with the first model among them; empty if not judged.
        differences: From the first model, in pairs; empty of that.
        share_kept: Of the first model's first metric.
    """

    name: str
    num_parameters: int
    size_bytes: int
    runtime: str
    precision: str
    latency_p50_ms: float
    latency_p90_ms: float
    latency_flagged: bool
    metrics: Mapping[str, Metric]
    differences: Mapping[str, Metric]
    share_kept: float | None

    def is_different(self, name: str) -> bool:
        """Whether it differs from the first model in a metric by more than chance would have it."""
        difference = self.differences.get(name)
        return (
            difference is not None
            and difference.stderr is not None
            and is_significant(difference.value, difference.stderr)
        )

    @property
    def flipped_share(self) -> float | None:
        """Of the items, those of which it says something else than the first model; None where that is not known."""
        agreement = self.metrics.get("agreement")
        return None if agreement is None else 1 - agreement.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Models that were measured by one protocol and judged on the same items.

    Attributes:
        protocol: Threads, batch and length; runtime and precision are each model's own.
        num_items: That they were judged on; None if they were not.
    """

    protocol: LatencyProtocol
    num_items: int | None
    models: tuple[ComparedModel, ...]

    def rows(self) -> list[list[str]]:
        """Titles, and a row of cells for each model. A star marks what differs from the first by more than chance."""
        names = [name for name in self.models[0].metrics if name != "agreement"]
        head = ["model", "runtime", "parameters", "MB", "p50 ms", "p90 ms", "faster"]
        judged = [*map(metric_label, names), "kept", "flipped"] if names or self.num_items else []
        return [[*head, *judged], *(self._cells(model, names) for model in self.models)]

    def to_markdown(self) -> str:
        """The table as Markdown."""
        head, *rows = ([markdown(cell) for cell in row] for row in self.rows())
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

    def to_csv(self) -> str:
        """Figures without rounding: of each metric its error, its difference from the first, and the error of that."""
        names = list(self.models[0].metrics)
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        plain = [name for name in ComparedModel.__dataclass_fields__ if name not in ("metrics", "differences")]
        kinds = ("", "_stderr", "_difference", "_difference_stderr")
        writer.writerow([*plain, *(f"{name}{kind}" for name in names for kind in kinds)])
        for model in self.models:
            figures = [
                value
                for name in names
                for found in (model.metrics.get(name), model.differences.get(name))
                for value in ((found.value, found.stderr) if found else (None, None))
            ]
            writer.writerow([*(getattr(model, name) for name in plain), *figures])
        return stream.getvalue()

    def to_json(self) -> dict[str, Any]:
        """As plain values, with what is significant."""
        content = asdict(self)
        for told, model in zip(content["models"], self.models, strict=True):
            told["flipped_share"] = model.flipped_share
            told["significant"] = [name for name in model.differences if model.is_different(name)]
        return content

    def _cells(self, model: ComparedModel, names: list[str]) -> list[str]:
        flag = "!" if model.latency_flagged else ""
        times = self.models[0].latency_p50_ms / model.latency_p50_ms
        cells = [
            model.name,
            f"{model.runtime} {model.precision}",
            f"{model.num_parameters:,}",
            f"{model.size_bytes / 1e6:.1f}",
            f"{model.latency_p50_ms:.2f}{flag}",
            f"{model.latency_p90_ms:.2f}",
            f"{times:.1f}x",
        ]
        if not model.metrics:
            return cells
        figures = [_figure(model, name) for name in names]
        shares = ["" if share is None else f"{share:.1%}" for share in (model.share_kept, model.flipped_share)]
        return [*cells, *figures, *shares]


def _figure(model: ComparedModel, name: str) -> str:
    metric = model.metrics[name]
    return text_with_error(name, metric.value, metric.stderr) + ("*" if model.is_different(name) else "")
