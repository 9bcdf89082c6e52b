"""Jobs small enough to be killed many times, and what is left of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ose.core.job import Trial
from ose.store.base import Store

FOUR = [{"batch_size": 8, "learning_rate": rate} for rate in (1e-4, 3e-4, 5e-4, 1e-3)]
"""Candidates of one shape, whose latency is measured once."""

LONG = {
    "search": {"steps": 5000, "epsilon": 2, "held_out_sequences": 16, "hyperparameters": [{"batch_size": 8}]},
}
"""One candidate that trains for a minute or so."""


def job_file(folder: Path, teacher: Path, documents: list[str], **changes: Any) -> Path:
    """Eight candidates of some tenths of a second each."""
    text = folder / "text.txt"
    text.write_text("\n".join(" ".join(document.split()) for document in documents))
    content = {
        "name": "faults",
        "teacher": {"model": str(teacher)},
        "corpus": {"train": [str(text)], "sequence_length": 32},
        "space": {
            "name": "two",
            "num_hidden_layers": [1, 2],
            "num_attention_heads": [2],
            "hidden_size": [16],
            "intermediate_size": [32],
        },
        "search": {"steps": 40, "held_out_sequences": 16, "hyperparameters": FOUR},
        "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
        **changes,
    }
    file = folder / "job.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def all_trials(store: Store) -> list[tuple[int, Trial]]:
    numbers = [(job.id, each.number) for job in store.jobs() for each in store.candidates(job.id)]
    return [(number, trial) for job_id, number in numbers for trial in store.trials(job_id, number)]
