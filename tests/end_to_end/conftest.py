"""The command line, run in this process as `python -m ose` would run it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ose.cli.main import main


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of a mistake."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0]


@pytest.fixture
def ose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command with its files in a temporary folder."""
    monkeypatch.setenv("OSE_HOME", str(tmp_path / "home"))

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ose", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        printed = capfd.readouterr()
        return Outcome(status, printed.out, printed.err)

    return run


@pytest.fixture
def job(tmp_path: Path, tiny_roberta: Path, real_text: list[str]) -> dict[str, Any]:
    """A small valid job: four candidates of the tiny teacher, two steps each."""
    text = tmp_path / "text.txt"
    text.write_text("\n".join(document.replace("\n", " ") for document in real_text))
    return {
        "name": "tiny",
        "teacher": {"model": str(tiny_roberta)},
        "corpus": {"train": [str(text)], "sequence_length": 16},
        "space": {
            "num_hidden_layers": [1, 2],
            "num_attention_heads": [4],
            "hidden_size": [16, 32],
            "intermediate_size": [64],
        },
        "search": {"steps": 2, "hyperparameters": [{"batch_size": 4}], "held_out_sequences": 8},
        "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
        "distillation": {"steps": 4, "batch_size": 4, "checkpoint_every": 2},
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Write a job file."""

    def write_job(content: Any) -> Path:
        file = tmp_path / "job.yaml"
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return file

    return write_job
