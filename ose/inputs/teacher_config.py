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
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG, handed_on, parse_object

_DECODER_ENDINGS = ("LMHeadModel", "ForCausalLM", "DoubleHeadsModel")
_SEQUENCE_TO_SEQUENCE_ENDINGS = ("ForConditionalGeneration", "ForSeq2SeqLM")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherConfig:
    """What config.json says about a masked language model.

    Attributes:
        class_name: Hugging Face's name of the model class; empty when the file has none.
        max_sequence_length: Tokens for which the position table has rows.
        is_tied: Whether the vocabulary head shares its matrix with the embeddings.
    """

    model_type: str
    class_name: str
    architecture: Architecture
    embedding: EmbeddingShape
    max_sequence_length: int
    is_tied: bool

    @property
    def is_inheritable(self) -> bool:
        """Whether a family knows this class: its closed-form counts hold, and students can start from its weights."""
        family = known_family(self.model_type)
        classes = load_shape(family).CLASSES[self.model_type] if family else ()
        return family is not None and self.is_tied and self.class_name in ("", *classes)


def read_config(folder: TeacherFolder) -> TeacherConfig:
    """Read and check config.json.

    Raises:
        TeacherError: It is missing or broken, or describes no masked language model that OSE can use.
    """
    path = folder.path / CONFIG
    raw = folder.read(CONFIG)
    handed_on(CONFIG, raw, folder.path)
    content = parse_object(raw, path)
    _require_masked_lm(content, folder.path)
    model_type = str(content.get("model_type", ""))
    family = known_family(model_type)
    names: ConfigNames = load_shape(family) if family else others
    sizes, tables = (
        {name: _number(content, name, names, path) for name in each}
        for each in (AXES, EmbeddingShape.__dataclass_fields__)
    )
    offset = _pad_token_id(content) + 1 if model_type in names.OFFSET_MODEL_TYPES else 0
    try:
        architecture = Architecture(**sizes, family=family_of_students(model_type))
        embedding = EmbeddingShape(**tables)
    except SearchSpaceError as error:
        raise TeacherError(f"{path}: {error}") from error
    return TeacherConfig(
        model_type=model_type,
        class_name=_class_name(content),
        architecture=architecture,
        embedding=embedding,
        max_sequence_length=max(tables["max_position_embeddings"] - offset, 1),
        is_tied=content.get("tie_word_embeddings", True) is not False,
    )


def _require_masked_lm(content: dict[str, Any], folder: Path) -> None:
    """A class name that says nothing either way passes; the weights tell the rest."""
    name = _class_name(content)
    if content.get("is_encoder_decoder") or name.endswith(_SEQUENCE_TO_SEQUENCE_ENDINGS):
        raise TeacherError(f"{folder} is an encoder-decoder ({_kind(content)}); OSE needs a masked language model")
    if content.get("is_decoder") or name.endswith(_DECODER_ENDINGS):
        raise TeacherError(f"{folder} is a decoder ({_kind(content)}); OSE needs a masked language model")
    if name and "ForMaskedLM" not in name and "ForPreTraining" not in name:
        raise TeacherError(f"{folder} holds a {name}, which has no vocabulary head; OSE needs a ...ForMaskedLM model")


def _class_name(content: dict[str, Any]) -> str:
    architectures = content.get("architectures")
    return str(architectures[0]) if isinstance(architectures, list) and architectures else ""


def _kind(content: dict[str, Any]) -> str:
    return _class_name(content) or str(content.get("model_type", "unknown"))


def _number(content: dict[str, Any], name: str, names: ConfigNames, path: Path) -> int:
    spelling = next((each for each in names.CONFIG_NAMES[name] if content.get(each) is not None), None)
    if spelling is None and name not in names.CONFIG_DEFAULTS:
        raise TeacherError(f"{path} does not tell {name}")
    value = content[spelling] if spelling else names.CONFIG_DEFAULTS[name]
    if type(value) is not int:
        raise TeacherError(f"{path}: {spelling} must be a whole number, not {str(value)[:60]!r}")
    return max(value, 1) if name == "type_vocab_size" else value


def _pad_token_id(content: dict[str, Any]) -> int:
    value = content.get("pad_token_id", 1)
    return value if type(value) is int and value >= 0 else 1
