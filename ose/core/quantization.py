"""How an ONNX export is quantised, and what is written of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ose.core.gate import USUAL_GATE, Verdict
from ose.core.job import CorpusFacts
from ose.core.spec import CorpusSpec

Method = Literal["dynamic", "static"]
Target = Literal["any", "vnni"]

METHODS: dict[str, Method] = {"int8-dynamic": "dynamic", "int8-static": "static"}
"""By what `ose export --quantize` calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Weights and activations in eight bits.

    Attributes:
        method: `dynamic` measures activations at each call, `static` once, on calibration text.
        target: `any` gives the same values on every processor, by weights of seven bits; `vnni` uses all eight, which
            processors without VNNI add up wrongly.
        embeddings: Whether the embedding tables are quantised too; in small models they are most of the file.
        gate: The share of float32's first metric that may be lost; None asks nothing.
    """

    method: Method = "dynamic"
    target: Target = "any"
    embeddings: bool = True
    gate: float | None = USUAL_GATE


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusPart:
    """Text that something is done on: the files, and how they are read."""

    facts: CorpusFacts
    spec: CorpusSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxRequest:
    """Write a model as ONNX.

    Attributes:
        task: What it does.
        folder: Its directory.
        output: Where to.
        manifest: What is known of it; of a student of a job where every number came from.
        quantization: None leaves it in float32.
        held_out: Whose validation side the gate asks; None where it asks nothing.
        calibration: Whose training side the static method measures; None of the dynamic one.
    """

    task: str
    folder: str
    output: str
    manifest: Mapping[str, Any]
    quantization: Quantization | None = None
    held_out: CorpusPart | None = None
    calibration: CorpusPart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxSummary:
    """An ONNX export that was written.

    Attributes:
        folder: The directory.
        precision: Of the file: `int8`, or `float32`, also where the gate kept that.
        size_bytes: Of the file.
        float32_size_bytes: Of the file before it was quantised.
        logit_difference_share: The largest difference between float32 and torch, over the largest absolute logit.
        operators: How many of each the graph has.
        verdict: What the gate said; None where it was not asked.
    """

    folder: str
    precision: str
    size_bytes: int
    float32_size_bytes: int
    logit_difference_share: float
    operators: dict[str, int]
    verdict: Verdict | None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)
