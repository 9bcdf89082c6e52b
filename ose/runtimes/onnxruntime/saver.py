"""Save a model for ONNX Runtime: one file, graph and weights."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from ose.core.quantization import Quantization
from ose.runtimes.base import Part, Saver
from ose.runtimes.onnxruntime.graph import input_names, write_graph
from ose.runtimes.onnxruntime.quantize import quantize
from ose.tasks.onnx_folder import ONNX_FILE


class OnnxSaver:
    """The weights stand in the file, so that a model is saved with some also where they have no meaning."""

    needs_weights = True

    def save(self, model: PreTrainedModel, part: Part, folder: Path, precision: str) -> None:
        """See `Saver.save`. In int8 it is quantised as `ose export` does it unless told otherwise."""
        file = folder / ONNX_FILE
        write_graph(model, part, input_names(model), file)
        if precision == "int8":
            whole = file.rename(folder / "float32.onnx")
            quantize(whole, file, Quantization())
            whole.unlink()


SAVER: Saver = OnnxSaver()
