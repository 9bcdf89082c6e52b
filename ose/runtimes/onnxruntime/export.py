"""Write a model as a directory that ONNX Runtime, numpy and tokenizers are enough for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ose.artifacts.files import storage_errors
from ose.core.exports import MANIFEST
from ose.core.quantization import Quantization
from ose.runtimes.onnxruntime.graph import OPSET, input_names, write_graph
from ose.runtimes.onnxruntime.parity import require_parity
from ose.runtimes.onnxruntime.quantize import operators
from ose.runtimes.torch.export import complete, fit
from ose.tasks.base import Task
from ose.tasks.onnx_folder import ONNX_FILE, SECTION

Facts = dict[str, Any]


def write_onnx(task: Task, folder: Path, target: Path) -> Facts:
    """Write configuration, tokenizer and the file in float32, and prove that it says what the model says.

    Args:
        task: What the model does.
        folder: Its directory.
        target: An empty folder.

    Returns:
        What the manifest tells of the file, for `describe`.

    Raises:
        ConflictError: The file does not say what the model says.
        StorageError: `target` cannot be written.
    """
    model, tokenizer = task.load_teacher(folder), task.load_tokenizer(folder)
    complete(model.config)
    fit(tokenizer, model)
    model.config.architectures = [type(model).__name__]
    names = [name for name in input_names(model) if name != "token_type_ids" or name in tokenizer.model_input_names]
    with storage_errors(target):
        model.config.save_pretrained(target)
        tokenizer.save_pretrained(target)
    write_graph(model, "model", names, target / ONNX_FILE)
    difference = require_parity(task, model, tokenizer, target / ONNX_FILE)
    has_labels, config = bool(task.rules.output_weights), model.config
    shape = ["batch", config.num_labels] if has_labels else ["batch", "sequence", config.vocab_size]
    return {
        "file": ONNX_FILE,
        "opset": OPSET,
        "inputs": [{"name": name, "type": "int64", "shape": ["batch", "sequence"]} for name in names],
        "outputs": [{"name": "logits", "type": "float32", "shape": shape}],
        "num_parameters": model.num_parameters(),
        "max_length": tokenizer.model_max_length,
        "has_softmax": False,
        "logits_to_probabilities": _activation(task, config.to_dict()),
        "logit_difference_share": difference,
        "made_with": {name: version(name) for name in ("torch", "onnx", "onnxruntime")},
    }


def describe(
    target: Path, manifest: Mapping[str, Any], facts: Facts, quantization: Quantization | None, gate: Any
) -> dict[str, int]:
    """Write the manifest of an ONNX export.

    Args:
        target: The export.
        manifest: What it tells beside the file.
        facts: As `write_onnx` gave them.
        quantization: How the file was quantised; None if it is in float32.
        gate: What the gate said, or that it was off; None if nothing was to be quantised.

    Returns:
        The operators of the graph, counted.
    """
    counted = operators(target / ONNX_FILE)
    told = {
        **facts,
        "precision": "float32" if quantization is None else "int8",
        "quantization": _quantization(quantization),
        "gate": gate,
        "size_bytes": (target / ONNX_FILE).stat().st_size,
        "operators": counted,
    }
    with storage_errors(target):
        content = json.dumps({**manifest, SECTION: told}, indent=2)
        (target / MANIFEST).write_text(content + "\n", encoding="utf8")
    return counted


def _quantization(spec: Quantization | None) -> dict[str, Any] | None:
    if spec is None:
        return None
    return {
        "method": spec.method,
        "target": spec.target,
        "weights": "int8",
        "activations": "uint8",
        "weight_bits": 7 if spec.target == "any" else 8,
        "per_channel": True,
        "embeddings": spec.embeddings,
    }


def _activation(task: Task, config: Mapping[str, Any]) -> str:
    """What makes probabilities of the logits; the file has them as the head gives them."""
    if not task.rules.output_weights:
        return "softmax over the vocabulary"
    kind = config.get("problem_type")
    if kind == "multi_label_classification":
        return "sigmoid"
    if (
        kind is None and len(config.get("id2label") or {}) == 1
    ):  # of a reranker, as pipelines and cross-encoders have it
        return "sigmoid"
    return "none" if kind == "regression" else "softmax"
