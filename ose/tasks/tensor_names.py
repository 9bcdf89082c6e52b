"""The names of a model's tensors: which a task does not compute with, and which a wrapper has put others before.

A tensor that is left out in silence makes another model of a teacher, and so does one that is drawn at random in its
place. Only what the task has no use for may be left over, and only what the configuration ties may be missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from ose.errors import TeacherError
from ose.tasks.rules import TaskRules

_OF_PRETRAINING = ("pooler.", "seq_relationship.", "sop_classifier.", "discriminator_predictions.", "mask_predictions.")
"""Heads beside the one that a task has. Where a class computes with one of them, it knows the tensor."""

_BUFFERS = ("position_ids", "token_type_ids", "num_batches_tracked", "inv_freq")
"""Endings of what is no weight: the libraries make it anew."""

_WRAPPERS = (
    "_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "base_model",
)  # fmt: skip
"""Parts of names that stand for what a model was wrapped in when it was saved: compiled, spread, or adapted."""

_FEW = 3


def is_buffer(name: str) -> bool:
    """Whether a tensor of this name is no weight."""
    return name.rpartition(".")[2] in _BUFFERS


def is_unused(name: str, rules: TaskRules) -> bool:
    """Whether a tensor that the model's class does not know may be left out for this task."""
    return is_buffer(name) or _has_part(name, (*_OF_PRETRAINING, *rules.unused_parts))


def require_none_missing(names: Iterable[str], rules: TaskRules, folder: Path) -> None:
    """Refuse a model of which a part would be drawn at random.

    Args:
        names: Tensors that the model has and its files have not, but for those that are tied to another one.
        rules: Of the task.
        folder: The teacher's, for messages.

    Raises:
        TeacherError: One is of a part that the task computes with.
    """
    lacking = sorted(name for name in names if not is_buffer(name) and not _has_part(name, rules.unused_parts))
    if lacking:
        raise TeacherError(
            f"{folder}: the weights have no {listed(lacking)}, which config.json asks for and ties to no other tensor: "
            "it would be drawn at random. Save the whole model, or name one that has all of it"
        )


def require_all_used(names: Iterable[str], rules: TaskRules, folder: Path) -> None:
    """Refuse tensors that would be left out although the task may need them.

    Args:
        names: Those that the model's class does not know.
        rules: Of the task.
        folder: The teacher's, for messages.

    Raises:
        TeacherError: There is one.
    """
    lost = sorted(name for name in names if not is_unused(name, rules))
    if lost:
        raise TeacherError(
            f"{folder}: the weights have {listed(lost)}, which config.json's class does not know and would leave out: "
            "it would be another model. Save it with a class that has all of them, or remove them if they are unused"
        )


def require_no_wrapper(names: Collection[str], folder: Path) -> None:
    """Refuse weights that were saved inside a wrapper.

    Raises:
        TeacherError: They were; the message says how to take its name off.
    """
    found = next((part for part in _WRAPPERS if any(part in name.split(".")[:-1] for name in names)), None)
    if found is not None:
        _refuse_prefix(f"{found}.", "what the model was wrapped in when it was saved", folder)


def refuse_common_prefix(names: Collection[str], beginnings: tuple[str, ...], folder: Path) -> None:
    """Refuse names that would be right without the first part, which all of them have.

    Args:
        names: Of all tensors, none of which begins as it should.
        beginnings: What names of a head begin with.
        folder: The teacher's, for messages.

    Raises:
        TeacherError: They are.
    """
    firsts = {name.partition(".")[0] for name in names}
    if len(firsts) == 1 and any(name.partition(".")[2].startswith(beginnings) for name in names):
        _refuse_prefix(f"{firsts.pop()}.", "what the model was part of when it was saved", folder)


def _refuse_prefix(prefix: str, reason: str, folder: Path) -> None:
    raise TeacherError(
        f"{folder}: names of its tensors have {prefix!r} in them, {reason}; save it without, with safetensors.torch: "
        f"save_file({{name.replace({prefix!r}, ''): t for name, t in load_file(FILE).items()}}, FILE, "
        "{'format': 'pt'})" + ("; an adapter is to be merged first" if prefix == "base_model." else "")
    )


def _has_part(name: str, parts: Iterable[str]) -> bool:
    return any(f".{part}" in f".{name}" for part in parts)


def listed(names: Collection[str]) -> str:
    """A few of some names, and how many more there are."""
    shown = sorted(names)[:_FEW]
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(shown) + more
