"""What `ose quickstart` searches: the teacher that comes along, and real text that is on any machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ose.artifacts.files import atomic_file
from ose.artifacts.private import private_folder
from ose.data.docstrings import iter_docstrings
from ose.errors import TeacherError

TRAIN_BYTES = 5_000_000
"""About 1.3 million tokens: what search and distillation read, with a little to spare."""

HELD_OUT_BYTES = 500_000


def teacher_folder() -> Path:
    """The teacher that comes along.

    Raises:
        TeacherError: This installation lacks it.
    """
    folder = Path(str(files("ose") / "assets" / "teacher"))
    if not (folder / "model.safetensors").exists():
        raise TeacherError(f"{folder} holds no model; train one with: make teacher")
    return folder


def write_text(folder: Path) -> tuple[Path, Path]:
    """Collect documentation strings into `train.jsonl` and `held-out.jsonl`, unless they are there.

    Raises:
        StorageError: `folder` cannot be written.
    """
    private_folder(folder)
    train, held_out = folder / "train.jsonl", folder / "held-out.jsonl"
    for file, is_held_out, size in ((train, False, TRAIN_BYTES), (held_out, True, HELD_OUT_BYTES)):
        if not file.exists():
            with atomic_file(file) as temporary, temporary.open("w", encoding="utf8") as stream:
                for text in _first_bytes(iter_docstrings(held_out=is_held_out), size):
                    stream.write(json.dumps({"text": text}) + "\n")
    return train, held_out


def write_job_file(folder: Path, train: Path, held_out: Path, threads: int) -> Path:
    """Write the job as a file that can be read, changed and run again.

    Args:
        folder: Where to put it.
        train: Training text.
        held_out: Held-out text.
        threads: Cores to train on.
    """
    file = folder / "job.yaml"
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.width = None, 120
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    with atomic_file(file) as temporary, temporary.open("w", encoding="utf8") as stream:
        stream.write(f"# Written by `ose quickstart`; run it again with: ose job run {file}\n")
        writer.dump(job(train, held_out, threads), stream)
    return file


def job(train: Path, held_out: Path, threads: int) -> dict[str, Any]:
    """The quickstart's job: every fourth member of its space, few steps, then a short distillation.

    Ranked by `excess`: with the paper's W the smallest member wins a search this short, because the
    teacher's entropy hides how much better the others are.
    """
    return {
        "name": "quickstart",
        "teacher": {"model": str(teacher_folder())},
        "corpus": {"train": [str(train)], "validation": [str(held_out)], "sequence_length": 128},
        "space": "quickstart",
        "search": {
            "epsilon": 4,
            "steps": 40,
            "hyperparameters": [{"learning_rate": 1e-3, "batch_size": 16}],
            "held_out_sequences": 96,
        },
        "score": {"formula": "excess"},
        "latency": {"threads": 1},
        "workers": {"count": 1, "cpus": threads},
        "distillation": {
            "steps": 300,
            "batch_size": 32,
            "learning_rate": 1e-3,
            "checkpoint_every": 100,
        },
    }


def _first_bytes(texts: Iterable[str], size: int) -> Iterator[str]:
    for text in texts:
        if size <= 0:
            return
        size -= len(text.encode())
        yield text
