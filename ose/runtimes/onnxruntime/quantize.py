"""From an ONNX file in float32 to one in int8, by ONNX Runtime's own quantisation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ose.artifacts.files import storage_errors
from ose.core.quantization import Quantization
from ose.tasks.onnx_session import require_packages

if TYPE_CHECKING:
    from onnx import GraphProto

Batch = Mapping[str, NDArray[np.int64]]

_PRODUCTS = ("MatMul", "Gemm", "LSTM")
"""What is computed in int8. Everything else, quantised too, cost more than it gained."""

_STATIC_PRODUCTS = ("MatMul", "Gemm")

_EMBEDDINGS = ("Gather",)


def quantize(source: Path, target: Path, spec: Quantization, calibration: Iterable[Batch] = ()) -> None:
    """Write a quantised copy of an ONNX file.

    Weights are signed and have a scale for each channel: unsigned ones are half as fast where VNNI is. With the target
    `any` they have seven bits, so that the sums of processors without VNNI do not saturate.

    Args:
        source: In float32.
        target: Where to.
        spec: How.
        calibration: Batches by which the static method measures activations.

    Raises:
        DependencyError: The extra is not installed.
        StorageError: The file cannot be written.
    """
    require_packages()
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    shared: dict[str, Any] = {
        "per_channel": True,
        "reduce_range": spec.target == "any",
        "weight_type": QuantType.QInt8,
    }
    embeddings = _EMBEDDINGS if spec.embeddings else ()
    with storage_errors(target), _quiet():
        if spec.method == "dynamic":
            quantize_dynamic(source, target, op_types_to_quantize=[*_PRODUCTS, *embeddings], **shared)
            return
        quantize_static(
            source,
            target,
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,  # signed ones are half as fast as float32
            op_types_to_quantize=[*_STATIC_PRODUCTS, *embeddings],
            nodes_to_exclude=_between_activations(source),
            **shared,
        )


def operators(file: Path) -> dict[str, int]:
    """How many of each operator a graph has, most first."""
    import onnx

    counts: dict[str, int] = {}
    for node in onnx.load(file, load_external_data=False).graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


class _Reader:
    """Batches as the library asks for them, one after the other and then None."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> Batch | None:
        return next(self._batches, None)


def _between_activations(file: Path) -> list[str]:
    """The products of attention, which have no weights, and Gathers of anything but a table."""
    import onnx

    graph = onnx.load(file).graph
    constants = _constants(graph)
    return [
        node.name
        for node in graph.node
        if (node.op_type == "MatMul" and constants.isdisjoint(node.input))
        or (node.op_type == "Gather" and node.input[0] not in constants)
    ]


def _constants(graph: GraphProto) -> set[str]:
    of_nodes = {output for node in graph.node if node.op_type == "Constant" for output in node.output}
    return {each.name for each in graph.initializer} | of_nodes


@contextmanager
def _quiet() -> Iterator[None]:
    """The library advises steps that gain nothing here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
