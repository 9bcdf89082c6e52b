"""The study of classifiers at a size at which it takes a minute, on lines of real text."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labelled import bracket_rows, lines_of, write_table
from models import save_tiny_roberta

from benchmarks.classifiers.sizes import StudySizes, TaskSizes, axes
from ose.core.architecture import Architecture
from ose.core.spec import Columns
from ose.families.registry import load_shape
from ose.tasks.loading import load_config

SHAPE = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 64, "intermediate_size": 256}

TOY = StudySizes(
    tasks={
        "brackets": TaskSizes(
            columns=Columns(text="sentence", label="kind"),
            epochs=4,
            learning_rate=2e-3,
            sequence_length=32,
            space=axes([1, 2], [4], [32, 64], [128]),
            targets={"third": 0.34},
            aims={"twelfth": 0.09},
            groups="group",
        ),
        "scores": TaskSizes(
            columns=Columns(text="sentence", text_pair="other", label="score"),
            epochs=1,
            learning_rate=1e-3,
            sequence_length=32,
            space=axes([1], [4], [32], [64]),
        ),
    },
    steps=3,
    few_steps=2,
    distillation_steps=4,
    longer_steps=6,
    seeds=2,
    held_out_items=40,
    order_task="brackets",
    order_space=axes([1, 2], [4], [32], [128]),
    order_target="third",
    rounds=2,
    latency_tokens=48,
    language_length=32,
    language_held_out=8,
    width_step=8,
    as_is=True,
)


class ByOperations:
    """Shares that no machine disturbs: of operations in the place of time."""

    def __init__(self, teacher: Path, num_tokens: int, rounds: int) -> None:
        config = load_config(teacher)
        self._num_tokens = num_tokens
        self._whole = Architecture(**{name: getattr(config, name) for name in SHAPE})

    def share(self, shape: Architecture) -> float:
        return self._operations(shape) / self._operations(self._whole)

    def told(self) -> list[dict[str, Any]]:
        return [asdict(self._whole)]

    def _operations(self, shape: Architecture) -> float:
        return load_shape(shape.family).count_flops(shape, self._num_tokens, 1)


def put_toy_study(folder: Path, documents: list[str]) -> Namespace:
    """The options of a study whose parts, encoder and text lie in a folder."""
    save_tiny_roberta(folder / "encoder", documents, SHAPE)
    rows = [(text, kind, str(place // 3)) for place, (text, kind) in enumerate(bracket_rows(documents, 300))]
    pairs = [(text, text[::-1][:30], len(text) / 100) for text in lines_of(documents, 120)]
    for first, name in enumerate(("train", "validation", "official")):
        for task in TOY.tasks:
            (folder / "splits" / task).mkdir(parents=True, exist_ok=True)
        write_table(folder / "splits/brackets" / f"{name}.csv", rows[first::3], ("sentence", "kind", "group"))
        write_table(folder / "splits/scores" / f"{name}.csv", pairs[first::3], ("sentence", "other", "score"))
    (folder / "text.txt").write_text("\n".join(documents), encoding="utf8")
    return Namespace(
        splits=folder / "splits",
        encoder=folder / "encoder",
        text=folder / "text.txt",
        output=folder / "study",
        plan=False,
        only=None,
    )
