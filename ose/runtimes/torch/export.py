"""Write a student as a directory that plain `transformers` loads, with a card and a manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForMaskedLM

from ose.artifacts.files import atomic_directory
from ose.core.architecture import Architecture
from ose.core.export import ExportSummary
from ose.core.measurement import metric_text
from ose.core.shown import markdown
from ose.errors import ConflictError
from ose.families.models import architecture_of
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer

MANIFEST = "ose_manifest.json"

_PARITY = 1e-5
"""Largest difference in any logit between the student and its export loaded back."""


_METRIC_LABELS = {
    "masked_lm_loss_nats": "held-out masked-LM loss, nats",
    "masked_accuracy": "masked tokens right",
}
"""What a card calls metrics; others go by their names."""


def export_student(student_folder: Path, output: Path, manifest: dict[str, Any], card: str) -> ExportSummary:
    """Copy a distilled student to `output` and prove that it loads.

    Args:
        student_folder: Weights and tokenizer.
        output: A directory that does not exist yet, or is empty.
        manifest: Where every number came from; written as `ose_manifest.json`.
        card: The model card; written as `README.md`.

    Raises:
        ConflictError: `output` has something in it, or the export does not give the student's logits.
        StorageError: `output` cannot be written.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConflictError(f"{output} exists already and is not empty; choose another --output")
    if output.resolve() == Path.cwd():
        raise ConflictError(f"{output} is the working directory; name a folder inside it with --output")
    student, tokenizer = load_masked_lm(student_folder), load_tokenizer(student_folder)
    with atomic_directory(output) as target:
        student.save_pretrained(target)
        tokenizer.save_pretrained(target)
        (target / "README.md").write_text(card, encoding="utf8")
        (target / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf8")
        difference = _difference(student, target)
        if difference > _PARITY:
            raise ConflictError(f"the export's logits differ from the student's by {difference:.2g}")
    return ExportSummary(
        folder=str(output),
        architecture=architecture_of(student),
        size_bytes=(output / "model.safetensors").stat().st_size,
        max_logit_difference=difference,
    )


def fill_mask(folder: Path, text: str, count: int = 5) -> list[tuple[str, float]]:
    """The likeliest fillings of the first mask in `text`.

    Args:
        folder: An export, or any other model with its tokenizer.
        text: With the tokenizer's mask token, or `<mask>`, which is replaced by it.
        count: How many.

    Returns:
        Tokens with their probabilities, likeliest first.

    Raises:
        TeacherError: There is no masked language model in `folder`.
    """
    tokenizer, model = load_tokenizer(folder), load_masked_lm(folder)
    encoded = tokenizer(text.replace("<mask>", tokenizer.mask_token), return_tensors="pt", return_token_type_ids=False)
    position = (encoded["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0]
    with torch.inference_mode():
        probabilities = model(**encoded).logits[0, position].softmax(dim=-1)
    top = probabilities.topk(count)
    return [
        (tokenizer.decode([token]).strip(), value)
        for token, value in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]


def student_card(manifest: dict[str, Any]) -> str:
    """The model card: what the student is, how good, how fast, and how to use it."""
    teacher, student, latency = manifest["teacher"], manifest["student"], manifest["latency"]
    architecture = Architecture(**student["architecture"])
    metrics = _metric_lines(teacher["metrics"], student["metrics"])
    return f"""---
library_name: transformers
pipeline_tag: fill-mask
tags: [distillation, neural-architecture-search, ose]
---
# {markdown(manifest["job"]["name"])}: {architecture}

A student of {student["num_parameters"]:,} parameters, found by architecture search and distilled from a teacher of
{teacher["num_parameters"]:,} ({Architecture(**teacher["architecture"])}).

| | teacher | student |
| --- | --- | --- |
| parameters | {teacher["num_parameters"]:,} | {student["num_parameters"]:,} |
| latency p50 (p90), ms | {_latency(teacher)} | {_latency(student)} |{metrics}
| cross-entropy to the teacher, nats | {teacher["loss_nats"]:.3f} (its own entropy) | {student["loss_nats"]:.3f} |

Latency is that of the encoder, batch {latency["batch_size"]} x {latency["sequence_length"]} tokens, {latency["dtype"]},
{latency["threads"]} thread(s), on {markdown(manifest["device"])}. `{MANIFEST}` tells where every number came from.

```python
from transformers import AutoModelForMaskedLM, AutoTokenizer

model = AutoModelForMaskedLM.from_pretrained("this directory")
tokenizer = AutoTokenizer.from_pretrained("this directory")
```
"""


def _metric_lines(teachers: dict[str, Any], students: dict[str, Any]) -> str:
    lines = []
    for name in students:
        cells = (metric_text(name, each[name]["value"]) if name in each else "" for each in (teachers, students))
        lines.append(f"\n| {_METRIC_LABELS.get(name, markdown(name))} | {' | '.join(cells)} |")
    return "".join(lines)


def _latency(entry: dict[str, Any]) -> str:
    return f"{entry['latency_p50_ms']:.2f} ({entry['latency_p90_ms']:.2f})"


def _difference(student: torch.nn.Module, folder: Path) -> float:
    loaded = AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True).eval()
    generator = torch.Generator().manual_seed(0)
    length = min(32, loaded.config.max_position_embeddings - 2)
    input_ids = torch.randint(loaded.config.vocab_size, (2, length), generator=generator)
    with torch.inference_mode():
        return float((student(input_ids=input_ids).logits - loaded(input_ids=input_ids).logits).abs().max())
