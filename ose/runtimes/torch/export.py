"""Write a student as a directory that plain `transformers` loads, with a card and a manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from ose.artifacts.files import atomic_directory
from ose.core.exports import MANIFEST, ExportSummary
from ose.errors import ConflictError
from ose.families.models import architecture_of
from ose.tasks.base import Task

_PARITY = 1e-5
"""Largest difference in any logit between the student and its export loaded back."""


def export_student(
    task: Task, student_folder: Path, output: Path, manifest: dict[str, Any], card: str
) -> ExportSummary:
    """Copy a distilled student to `output` and prove that it loads.

    Args:
        task: What the student does.
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
    student, tokenizer = task.load_teacher(student_folder), task.load_tokenizer(student_folder)
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


def _difference(student: PreTrainedModel, folder: Path) -> float:
    loaded = type(student).from_pretrained(folder, local_files_only=True).eval()
    generator = torch.Generator().manual_seed(0)
    length = min(32, loaded.config.max_position_embeddings - 2)
    input_ids = torch.randint(loaded.config.vocab_size, (2, length), generator=generator)
    with torch.inference_mode():
        return float((student(input_ids=input_ids).logits - loaded(input_ids=input_ids).logits).abs().max())
