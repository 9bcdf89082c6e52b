"""The model card of an ONNX export: what the file is, what int8 costs, and how to run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ose.core.exports import MANIFEST
from ose.core.shown import markdown
from ose.tasks.base import Task
from ose.tasks.model_card import code
from ose.tasks.onnx_folder import ONNX_FILE, SECTION

_USE = "## How to use it"


def onnx_card(task: Task, folder: Path) -> str:
    """The card of an export, from its manifest; of a student of a job with what its own card says."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf8"))
    facts = manifest[SECTION]
    of_student = task.card(manifest).partition(_USE)[0] if "student" in manifest else _heading(task, manifest)
    return f"""{of_student.replace('library_name: "transformers"', 'library_name: "onnx"').strip()}

## The file

{_file(facts)}

{_USE}

onnxruntime, numpy and tokenizers are enough:

{code(_usage(facts))}

The file gives logits; what makes probabilities of them: {facts["logits_to_probabilities"]}.
"""


def _heading(task: Task, manifest: dict[str, Any]) -> str:
    return f"# {markdown(manifest['model'])}\n\nA {task.rules.model_kind} as ONNX."


def _file(facts: dict[str, Any]) -> str:
    spec, counted = facts["quantization"], facts["operators"]
    precision = "float32" if spec is None else f"int8, {spec['method']}, weights of {spec['weight_bits']} bits"
    inner = ", ".join(f"{count} {name}" for name, count in counted.items() if name.startswith(_TELLING))
    lines = [
        f"`{ONNX_FILE}`: opset {facts['opset']}, {facts['size_bytes'] / 1e6:.1f} MB, {precision}; {inner}",
        f"inputs {', '.join(each['name'] for each in facts['inputs'])}, of any batch and up to {facts['max_length']:,} "
        "tokens",
        _gate(facts["gate"]),
    ]
    return "\n".join(f"- {line}" for line in lines if line)


def _gate(gate: Any) -> str:
    if gate is None:
        return ""
    if gate == "off":
        return "**the gate was off**: what int8 costs was not measured"
    return markdown(gate["told"], 400)


_TELLING = ("MatMul", "Gemm", "QLinear", "DynamicQuantize", "Quantize", "Dequantize", "QGemm", "LSTM")


def _usage(facts: dict[str, Any]) -> str:
    inputs = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    lines = [f'    "{each["name"]}": [encoded.{inputs[each["name"]]}],' for each in facts["inputs"]]
    return "\n".join(
        [
            "import onnxruntime",
            "from tokenizers import Tokenizer",
            "",
            'encoded = Tokenizer.from_file("tokenizer.json").encode("A text.")',
            f'session = onnxruntime.InferenceSession("{ONNX_FILE}", providers=["CPUExecutionProvider"])',
            "[logits] = session.run(None, {",
            *lines,
            "})",
            "print(logits)",
        ]
    )
