"""Directories that are taken for a model of transformers, recognised by their files: what they are, and what to do."""

from __future__ import annotations

from ose.errors import TeacherError
from ose.tasks.choice import class_of
from ose.tasks.registry import TASKS, task_rules
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG

_ADAPTER, _GLINER, _SETFIT, _SENTENCES = (
    "adapter_config.json", "gliner_config.json", "config_setfit.json", "modules.json"
)  # fmt: skip

_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin", "adapter_model.pt")

MARKERS = (_ADAPTER, _GLINER, _SETFIT, _SENTENCES)
"""Files that tell; small, and read by no model."""

_SETFIT_HEAD = "model_head.pkl"
"""The same of older versions: a pickle, which is never opened."""


def refuse_other_formats(folder: TeacherFolder) -> None:
    """Refuse what is no model of transformers by itself.

    Raises:
        TeacherError: It is an adapter, or a model of GLiNER, SetFit or sentence-transformers.
    """
    refuse_adapters(folder)
    if folder.has(_GLINER):
        raise TeacherError(
            f"{folder.path} is a GLiNER model, which finds spans by the names of labels; none of OSE's tasks does. "
            "Label text with it, fine-tune a classifier on that, and name that one as the teacher"
        )
    if folder.has(_SETFIT) or folder.has(_SETFIT_HEAD):
        raise TeacherError(
            f"{folder.path} is a SetFit model, an encoder with a pickled head of scikit-learn beside it; OSE needs a "
            "model whose head is in its weights. Fine-tune a ...ForSequenceClassification model on its labels"
        )
    if folder.has(_SENTENCES) and folder.has(CONFIG):
        _refuse_embedder(folder)


def refuse_adapters(folder: TeacherFolder) -> None:
    """Refuse a folder with an adapter, which no model would be loaded with.

    Raises:
        TeacherError: There is one, alone or beside a model.
    """
    if folder.has(_ADAPTER) and not (folder.has(CONFIG) and folder.weights()):
        raise TeacherError(
            f"{folder.path} is an adapter without its model; merge it first: peft's "
            "AutoPeftModelForSequenceClassification.from_pretrained(DIR).merge_and_unload().save_pretrained(NEW_DIR), "
            "with the tokenizer beside it"
        )
    if folder.has(_ADAPTER) and (found := next(filter(folder.has, _ADAPTER_WEIGHTS), None)):
        raise TeacherError(
            f"{folder.path} is a model with an adapter beside it ({found}), which would not be loaded; merge it "
            f"(peft's merge_and_unload), or remove {_ADAPTER} and {found} if the model alone is what you mean"
        )


def _refuse_embedder(folder: TeacherFolder) -> None:
    """Of sentence-transformers; its rerankers are classifiers of transformers."""
    class_name = class_of(folder.read_object(CONFIG))
    if not any(task_rules(name).suits(class_name) for name in TASKS):
        raise TeacherError(
            f"{folder.path} is a sentence-transformers model ({class_name}), which gives vectors, and none of OSE's "
            "tasks compares these; fine-tune it as a ...ForSequenceClassification model"
        )
