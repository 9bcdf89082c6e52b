"""Write a student as a directory that plain `transformers` loads, with a card and a manifest."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from ose.artifacts.files import atomic_directory
from ose.core.exports import MANIFEST, OF_CROSS_ENCODERS, ExportSummary
from ose.core.plain import strict_json
from ose.errors import ConflictError
from ose.families.models import architecture_of, longest_input
from ose.tasks.base import Task

_PARITY = 1e-5
"""Largest difference in any logit between the student and its export loaded back."""

_OF_LOADING = ("is_local", "local_files_only", "name_or_path")
"""What transformers keeps of how a tokenizer was loaded; it says nothing of the tokenizer."""


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
    require_free(output)
    student, tokenizer = task.load_teacher(student_folder), task.load_tokenizer(student_folder)
    complete(student.config)
    fit(tokenizer, student)
    with atomic_directory(output) as target:
        student.save_pretrained(target)
        tokenizer.save_pretrained(target)
        (target / "README.md").write_text(card, encoding="utf8")
        (target / MANIFEST).write_text(
            json.dumps(strict_json(manifest), indent=2, allow_nan=False) + "\n", encoding="utf8"
        )
        difference = _difference(task, student, tokenizer, target)
        if not difference <= _PARITY:  # nor is NaN
            raise ConflictError(f"the export's logits differ from the student's by {difference:.2g}")
    return ExportSummary(
        folder=str(output),
        architecture=architecture_of(student),
        size_bytes=(output / "model.safetensors").stat().st_size,
        max_logit_difference=difference,
    )


def require_free(output: Path) -> None:
    """Refuse to write over anything.

    Raises:
        ConflictError: `output` has something in it, or is the working directory.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConflictError(f"{output} exists already and is not empty; choose another --output")
    if output.resolve() == Path.cwd():
        raise ConflictError(f"{output} is the working directory; name a folder inside it with --output")


def complete(config: PreTrainedConfig) -> None:
    """Say what libraries ask a classifier's configuration for, and its teacher's may leave out.

    The zero-shot pipeline looks labels up by their names. Where nothing is said of it, sentence-transformers takes the
    sigmoid of one logit, of a regression too.
    """
    if config.id2label and not config.label2id:
        label2id: dict[str, int] = {str(name): int(index) for index, name in config.id2label.items()}
        config.label2id = label2id
    if config.problem_type == "regression" and not any(hasattr(config, name) for name in OF_CROSS_ENCODERS):
        config.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity"}


def fit(tokenizer: PreTrainedTokenizerBase, student: PreTrainedModel) -> None:
    """Have a tokenizer ask of the student what it can do, which is of BERT's build where its teacher may not be.

    Heads read the first token, so that there is no padding before it; and not all tell the texts of a pair apart.
    """
    kept = [name for name in tokenizer.model_input_names if name != "token_type_ids" or _has_token_types(student)]
    tokenizer.model_max_length = min(tokenizer.model_max_length, longest_input(student))
    tokenizer.padding_side, tokenizer.model_input_names = "right", kept
    tokenizer.init_kwargs |= {"padding_side": "right", "model_input_names": kept}
    for name in _OF_LOADING:
        tokenizer.init_kwargs.pop(name, None)


def _has_token_types(student: PreTrainedModel) -> bool:
    return bool(getattr(student.config, "type_vocab_size", 0) > 1)


def _difference(task: Task, student: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> float:
    """The largest between the logits of student and export, each on what its own tokenizer makes of the same texts."""
    loaded = type(student).from_pretrained(folder, local_files_only=True).eval()
    loaded_tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    differences = []
    for own, others in zip(task.probes(tokenizer), task.probes(loaded_tokenizer), strict=True):
        if own.keys() != others.keys() or not all(torch.equal(own[name], others[name]) for name in own):
            return math.inf
        with torch.inference_mode():
            differences.append(float((student(**own).logits - loaded(**others).logits).abs().max()))
    return max(differences, key=lambda each: (math.isnan(each), each))
