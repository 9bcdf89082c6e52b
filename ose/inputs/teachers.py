"""Find out all that can be known of a teacher without running it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from ose.core.job import TeacherFacts
from ose.core.spec import TeacherSpec
from ose.errors import TeacherError
from ose.families.counts import FamilyCounts
from ose.families.others import LAYER
from ose.families.registry import load_shape
from ose.inputs.config_settings import require_sound_settings
from ose.inputs.other_formats import refuse_adapters, refuse_other_formats
from ose.inputs.teacher_config import TeacherConfig, read_config
from ose.inputs.teacher_source import locate_teacher
from ose.inputs.teacher_tokens import require_tokenizer
from ose.inputs.teacher_weights import read_weights
from ose.tasks.registry import task_rules
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG, TOKENIZER_CONFIG
from ose.tasks.tensor_names import refuse_common_prefix, require_all_used, require_no_wrapper

Shapes = dict[str, tuple[int, ...]]

_SANE_MAX_LENGTH = 1_000_000
"""Tokenizers without a bound say 10^30."""


def inspect_teacher(
    spec: TeacherSpec,
    locate: Callable[[TeacherSpec], TeacherFolder] = locate_teacher,
    task: str | None = None,
) -> TeacherFacts:
    """Check a teacher by its config.json and the headers of its weights, and say what it is.

    Args:
        spec: The teacher.
        locate: Finds its folder.
        task: What it is to do; None leaves that to its class.

    Raises:
        TeacherError: No model that can be used for the task is there; the message says why.
        InvalidInputError: There is no such task.
    """
    folder = locate(spec)
    refuse_other_formats(folder)
    config = read_config(folder, task)
    _require_students_head(config.architecture.family, config.task, folder.path)
    weights = read_weights(folder, config.task)
    _require_as_many_tensors(config, weights.shapes, folder.path)
    require_no_wrapper(weights.shapes, folder.path)
    _require_head(config, weights.shapes, folder.path)
    if config.is_known:
        _require_agreement(config, weights.shapes, folder.path)
    require_tokenizer(folder, config.embedding.vocab_size)
    total, encoder = _count(config, weights.shapes)
    return TeacherFacts(
        path=str(folder.path),
        digest=folder.digest(),
        model_type=config.model_type,
        architecture=config.architecture,
        embedding=config.embedding,
        max_sequence_length=min(config.max_sequence_length, _tokenizer_max_length(folder, config)),
        num_parameters=total,
        num_encoder_parameters=encoder,
        can_be_inherited=config.is_inheritable,
        task=config.task,
    )


def require_sound_files(folder: TeacherFolder, task: str) -> None:
    """Check what holds of any model that is loaded, also of an encoder that does nothing yet.

    Args:
        folder: The model's.
        task: What it does, or is to do.

    Raises:
        TeacherError: Its settings, tensors or tokenizer are not what they seem; the message says which.
    """
    refuse_adapters(folder)
    content = folder.read_object(CONFIG)
    require_sound_settings(content, folder.path / CONFIG)
    require_no_wrapper(read_weights(folder, task).shapes, folder.path)
    if type(content.get("vocab_size")) is int:
        require_tokenizer(folder, content["vocab_size"])


def _require_as_many_tensors(config: TeacherConfig, shapes: Shapes, folder: Path) -> None:
    """A number in config.json costs nothing to write, and a module in memory for each layer it promises."""
    layers = config.architecture.num_hidden_layers
    if layers > len(shapes):
        raise TeacherError(f"{folder}: config.json says {layers:,} layers, the weights are {len(shapes):,} tensors")


def _require_students_head(family: str, task: str, folder: Path) -> None:
    heads = load_shape(family).HEADS
    if task not in heads:
        raise TeacherError(
            f"{folder}: students of the family {family} have no head for {task}; there are heads for {', '.join(heads)}"
        )


def _require_head(config: TeacherConfig, shapes: Shapes, folder: Path) -> None:
    rules, wanted = task_rules(config.task), config.embedding.num_labels
    if not any(name.startswith(rules.head_prefixes) for name in shapes):
        refuse_common_prefix(shapes, rules.head_prefixes, folder)
        raise TeacherError(
            f"{folder}: the weights have no {rules.head_kind}; OSE needs a ...{rules.model_classes[0]} model"
        )
    if config.is_known and not config.is_tied and not any(name.endswith("decoder.weight") for name in shapes):
        raise TeacherError(
            f"{folder}: config.json unties the {rules.head_kind} from the embeddings (tie_word_embeddings: false), but "
            "the weights have no matrix for it; set that to true if it was trained tied"
        )
    endings = tuple(f".{each}" for each in rules.output_weights)  # pre_classifier.weight is no classifier.weight
    for name, shape in shapes.items():
        if f".{name}".endswith(endings) and shape[0] != wanted:
            raise TeacherError(f"{folder}: {name} has {shape[0]:,} outputs, config.json says {wanted:,} labels")


def _require_agreement(config: TeacherConfig, shapes: Shapes, folder: Path) -> None:
    """The encoder has each tensor that config.json promises, in its shape, and no tensor is left over."""
    architecture = config.architecture
    family = load_shape(architecture.family)
    expected, found = family.expected_tensors(architecture, config.embedding), _by_ending(shapes)
    for ending, shape in expected.items():
        if ending not in found:
            raise TeacherError(f"{folder}: the weights have no {ending}, which config.json asks for")
        if found[ending] != shape:
            raise TeacherError(
                f"{folder}: {ending} has the shape {list(found[ending])}, config.json says {list(shape)}"
            )
    if any(family.layer_prefix(architecture.num_hidden_layers) in name for name in shapes):
        raise TeacherError(f"{folder}: the weights have more layers than config.json says")
    others = [name for name in shapes if not _by_ending({name: ()}).keys() & expected.keys()]
    require_all_used((name for name in others if not family.is_head_tensor(name)), task_rules(config.task), folder)


def _by_ending(shapes: Shapes) -> Shapes:
    """Shapes by the tensors' names with and without their first part, which is the model's own, as files now have them.

    The norms of the oldest files call their weight and bias `gamma` and `beta`.
    """
    found: Shapes = {}
    for name, shape in shapes.items():
        new = name.removesuffix("gamma") + "weight" if name.endswith(".gamma") else name
        new = new.removesuffix("beta") + "bias" if new.endswith(".beta") else new
        found |= {new: shape, new.partition(".")[2]: shape}
    return found


def _count(config: TeacherConfig, shapes: Shapes) -> tuple[int, int]:
    """Parameters of the whole model, and of its layers alone."""
    if config.is_inheritable:
        counts = FamilyCounts(config.embedding, config.task, config.architecture.family)
        count = counts.parameters(config.architecture)
        return count.total, count.encoder
    unused = task_rules(config.task).unused_parts
    used = {name: shape for name, shape in shapes.items() if not any(f".{part}" in f".{name}" for part in unused)}
    encoder = sum(math.prod(shape) for name, shape in used.items() if LAYER.search(name))
    return sum(math.prod(shape) for shape in _without_tied(used, config)), encoder


def _without_tied(shapes: Shapes, config: TeacherConfig) -> list[tuple[int, ...]]:
    """The shapes, with those of vocabulary matrices and biases taken once where they are tied."""
    vocabulary = [shape for shape in shapes.values() if shape[:1] == (config.embedding.vocab_size,)]
    others = [shape for shape in shapes.values() if shape[:1] != (config.embedding.vocab_size,)]
    return others + (list(set(vocabulary)) if config.is_tied else vocabulary)


def _tokenizer_max_length(folder: TeacherFolder, config: TeacherConfig) -> int:
    """The tokenizer's own bound on a sequence."""
    has_config = TOKENIZER_CONFIG in folder.tokenizer()
    bound = folder.read_object(TOKENIZER_CONFIG).get("model_max_length") if has_config else None
    is_sane = isinstance(bound, int) and not isinstance(bound, bool) and 0 < bound < _SANE_MAX_LENGTH
    return int(bound) if bound and is_sane else config.max_sequence_length
