"""Which task a model does: the one asked for, or the first that its class suits."""

from __future__ import annotations

from pathlib import Path

from ose.errors import TeacherError
from ose.tasks.registry import TASKS, task_rules
from ose.tasks.rules import TaskRules
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG, Settings

_DECODERS = ("LMHeadModel", "ForCausalLM", "DoubleHeadsModel")
_SEQUENCE_TO_SEQUENCE = ("ForConditionalGeneration", "ForSeq2SeqLM")


def task_of(folder: Path) -> str:
    """The task that a model directory is for.

    Raises:
        TeacherError: There is no model, or none for a task of OSE's.
    """
    return suited_task(TeacherFolder(folder).read_object(CONFIG), None, folder)


def suited_task(config: Settings, asked: str | None, folder: Path) -> str:
    """The task of a model by its config.json. A class name that says nothing either way suits every task.

    Args:
        config: The file's content.
        asked: The task that it is to do; None leaves that to its class.
        folder: The model's, for messages.

    Raises:
        InvalidInputError: No task is called as asked.
        TeacherError: The model does not do it, or none of OSE's tasks.
    """
    rules = [task_rules(name) for name in ([asked] if asked is not None else TASKS)]
    _require_encoder(config, " or ".join(each.model_kind for each in rules), folder)
    class_name = class_of(config)
    suited = next((each.name for each in rules if each.suits(class_name)), None)
    if suited is None:
        _refuse_another_task(class_name, rules[0], folder)
        heads = " or ".join(each.head_kind for each in rules)
        models = " or ".join(f"...{each.model_classes[0]}" for each in rules)
        raise TeacherError(f"{folder} holds a {class_name}, which has no {heads}; OSE needs a {models} model")
    return suited


def _refuse_another_task(class_name: str, asked: TaskRules, folder: Path) -> None:
    """Say what a model does whose class suits another task than the one that is asked for."""
    others = [each for each in map(task_rules, TASKS) if each.suits(class_name)]
    if others:
        raise TeacherError(
            f"{folder} holds a {class_name}, a {others[0].model_kind}: its task is {others[0].name}; {asked.name} "
            f"needs a ...{asked.model_classes[0]} model"
        )


def tuned_task(folder: Path, asked: str | None) -> str:
    """The task that a model is to be fine-tuned for: the one asked for, its own, or classification.

    Raises:
        InvalidInputError: No task is called as asked.
        TeacherError: There is no model, or no encoder.
    """
    config = TeacherFolder(folder).read_object(CONFIG)
    _require_encoder(config, "encoder", folder)
    labelled = [each for each in map(task_rules, TASKS) if "label" in each.columns]
    name = class_of(config)
    own = next((each.name for each in labelled if name and each.suits(name)), labelled[0].name)
    return own if asked is None else task_rules(asked).name


def class_of(config: Settings) -> str:
    """Hugging Face's name of the model class; empty where the file has none."""
    architectures = config.get("architectures")
    return str(architectures[0]) if isinstance(architectures, list) and architectures else ""


def _require_encoder(config: Settings, wanted: str, folder: Path) -> None:
    name = class_of(config)
    kind = name or str(config.get("model_type", "unknown"))
    if config.get("is_encoder_decoder") or name.endswith(_SEQUENCE_TO_SEQUENCE):
        raise TeacherError(f"{folder} is an encoder-decoder ({kind}); OSE needs a {wanted}")
    if config.get("is_decoder") or name.endswith(_DECODERS):
        raise TeacherError(f"{folder} is a decoder ({kind}); OSE needs a {wanted}")
