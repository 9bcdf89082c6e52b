"""A teacher's config.json, across the families' different names for the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ose.core.architecture import Architecture, EmbeddingShape
from ose.errors import SearchSpaceError, TeacherError
from ose.tasks.choice import class_of, suited_task
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG, handed_on, parse_object

INHERITABLE_CLASSES = {
    "roberta": ("RobertaForMaskedLM",),
    "xlm-roberta": ("XLMRobertaForMaskedLM",),
    "camembert": ("CamembertForMaskedLM",),
    "bert": ("BertForMaskedLM", "BertForPreTraining"),
}
"""Families whose weights students can start from, with the classes that have a vocabulary head."""

_NAMES = {
    "num_hidden_layers": ("num_hidden_layers", "n_layers", "num_layers", "n_layer"),
    "num_attention_heads": ("num_attention_heads", "n_heads", "num_heads", "n_head"),
    "hidden_size": ("hidden_size", "dim", "d_model", "emb_dim", "n_embd"),
    "intermediate_size": ("intermediate_size", "hidden_dim", "d_inner", "ffn_dim"),
    "vocab_size": ("vocab_size", "n_words"),
    "max_position_embeddings": ("max_position_embeddings", "n_positions", "max_seq_len"),
    "type_vocab_size": ("type_vocab_size",),
}
_DEFAULTS = {"max_position_embeddings": 512}
_OFFSET_FAMILIES = {
    "roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "roberta-prelayernorm", "xmod", "data2vec-text",
    "longformer", "ibert", "luke", "mpnet", "esm",
}  # fmt: skip
"""They count positions from the padding id's successor, so that many rows of the table are never used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherConfig:
    """What config.json says about a teacher.

    Attributes:
        class_name: Hugging Face's name of the model class; empty when the file has none.
        task: What it does.
        max_sequence_length: Tokens for which the position table has rows.
        is_tied: Whether the vocabulary head shares its matrix with the embeddings.
    """

    model_type: str
    class_name: str
    task: str
    architecture: Architecture
    embedding: EmbeddingShape
    max_sequence_length: int
    is_tied: bool

    @property
    def is_inheritable(self) -> bool:
        """Whether the closed-form count and the inheritance rules know this family."""
        classes = INHERITABLE_CLASSES.get(self.model_type)
        return classes is not None and self.is_tied and self.class_name in ("", *classes)


def read_config(folder: TeacherFolder, task: str | None = None) -> TeacherConfig:
    """Read and check config.json.

    Args:
        folder: The teacher's.
        task: What it is to do; None leaves that to its class.

    Raises:
        TeacherError: It is missing or broken, or describes no model that OSE can use for the task.
        InvalidInputError: There is no such task.
    """
    path = folder.path / CONFIG
    raw = folder.read(CONFIG)
    handed_on(CONFIG, raw, folder.path)
    content = parse_object(raw, path)
    task = suited_task(content, task, folder.path)
    numbers = {name: _number(content, name, path) for name in _NAMES}
    positions = numbers["max_position_embeddings"]
    model_type = str(content.get("model_type", ""))
    offset = _pad_token_id(content) + 1 if model_type in _OFFSET_FAMILIES else 0
    try:
        architecture = Architecture(**{name: numbers[name] for name in Architecture.__dataclass_fields__})
        embedding = EmbeddingShape(**{name: numbers[name] for name in EmbeddingShape.__dataclass_fields__})
    except SearchSpaceError as error:
        raise TeacherError(f"{path}: {error}") from error
    return TeacherConfig(
        model_type=model_type,
        class_name=class_of(content),
        task=task,
        architecture=architecture,
        embedding=embedding,
        max_sequence_length=max(positions - offset, 1),
        is_tied=content.get("tie_word_embeddings", True) is not False,
    )


def _number(content: dict[str, Any], name: str, path: Path) -> int:
    spelling = next((each for each in _NAMES[name] if content.get(each) is not None), None)
    if spelling is None and name == "type_vocab_size":
        # The classes of the inheritable families have two rows unless told otherwise; others may have no table.
        return 2 if content.get("model_type") in INHERITABLE_CLASSES else 1
    if spelling is None and name not in _DEFAULTS:
        raise TeacherError(f"{path} does not tell {name}")
    value = content[spelling] if spelling else _DEFAULTS[name]
    if type(value) is not int:
        raise TeacherError(f"{path}: {spelling} must be a whole number, not {str(value)[:60]!r}")
    return max(value, 1) if name == "type_vocab_size" else value


def _pad_token_id(content: dict[str, Any]) -> int:
    value = content.get("pad_token_id", 1)
    return value if type(value) is int and value >= 0 else 1
