"""A teacher's config.json, under the names that its family has for its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.search_space import AXES
from ose.errors import SearchSpaceError, TeacherError
from ose.families import others
from ose.families.base import ConfigNames
from ose.families.registry import family_of_students, known_family, load_shape
from ose.inputs.config_settings import counts_from_padding, padding_id, require_padding, require_sound_settings
from ose.tasks.choice import class_of, suited_task
from ose.tasks.registry import task_rules
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG, handed_on, parse_object

_TABLES = ("vocab_size", "max_position_embeddings", "type_vocab_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherConfig:
    """What config.json says about a teacher.

    Attributes:
        class_name: Hugging Face's name of the model class; empty when the file has none.
        task: What it does.
        max_sequence_length: Tokens for which the position table has rows.
        is_tied: Whether the vocabulary head, if there is one, shares its matrix with the embeddings.
    """

    model_type: str
    class_name: str
    task: str
    architecture: Architecture
    embedding: EmbeddingShape
    max_sequence_length: int
    is_tied: bool

    @property
    def is_known(self) -> bool:
        """Whether a family knows this class, and so every tensor that it may have."""
        family = known_family(self.model_type)
        return family is not None and self.class_name in ("", *load_shape(family).CLASSES[self.model_type])

    @property
    def is_inheritable(self) -> bool:
        """Whether its family's closed-form counts hold of it, and students can start from its weights."""
        return self.is_known and self.is_tied


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
    require_sound_settings(content, path)
    task = suited_task(content, task, folder.path)
    model_type = str(content.get("model_type", ""))
    family = known_family(model_type)
    names: ConfigNames = load_shape(family) if family else others
    sizes, tables = ({name: _number(content, name, names, path) for name in each} for each in (AXES, _TABLES))
    num_outputs = task_rules(task).num_outputs(content, path)
    require_padding(content, tables["vocab_size"], names, path)
    try:
        architecture = Architecture(**sizes, family=family_of_students(model_type))
        embedding = EmbeddingShape(**tables, num_labels=num_outputs)
    except SearchSpaceError as error:
        raise TeacherError(f"{path}: {error}") from error
    return TeacherConfig(
        model_type=model_type,
        class_name=class_of(content),
        task=task,
        architecture=architecture,
        embedding=embedding,
        max_sequence_length=_longest_sequence(content, names, path),
        is_tied=num_outputs > 0 or content.get("tie_word_embeddings", True) is not False,
    )


def longest_sequence(folder: TeacherFolder) -> int:
    """Tokens for which the position table of a model has rows, whatever the model does.

    Raises:
        TeacherError: config.json is missing or broken.
    """
    path = folder.path / CONFIG
    content = parse_object(folder.read(CONFIG), path)
    family = known_family(str(content.get("model_type", "")))
    return _longest_sequence(content, load_shape(family) if family else others, path)


def _longest_sequence(content: dict[str, Any], names: ConfigNames, path: Path) -> int:
    offset = padding_id(content) + 1 if counts_from_padding(content, names) else 0
    return max(_number(content, "max_position_embeddings", names, path) - offset, 1)


def _number(content: dict[str, Any], name: str, names: ConfigNames, path: Path) -> int:
    spelling = next((each for each in names.CONFIG_NAMES[name] if content.get(each) is not None), None)
    if spelling is None and name not in names.CONFIG_DEFAULTS:
        raise TeacherError(f"{path} does not tell {name}")
    value = content[spelling] if spelling else names.CONFIG_DEFAULTS[name]
    if type(value) is not int:
        raise TeacherError(f"{path}: {spelling} must be a whole number, not {str(value)[:60]!r}")
    return max(value, 1) if name == "type_vocab_size" else value
