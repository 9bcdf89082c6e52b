"""A job of the quickstart's teacher that other benchmarks run, and what its database says of its times."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import ose
from ose.core.cost import JobCost
from ose.core.job import Candidate
from ose.inputs.quickstart_job import teacher_folder, write_text

PLAIN = {"layers": "distilbert", "heads": "leading", "neurons": "leading", "hidden": "leading", "correction": "none"}
"""A start that needs no look at the teacher first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One `ose job run`, from the start of its process to its end.

    Attributes:
        stages_s: When each stage began, seconds after the start.
        first_training_s: When the first candidate began to train.
        training_s: From the first candidate's dispatch to the last result.
        work_s: What the candidates took on their workers, added up.
        wall_s: Until the process ended.
    """

    job_id: str
    stages_s: dict[str, float]
    first_training_s: float
    training_s: float
    work_s: float
    wall_s: float
    cost: JobCost
    candidates: list[Candidate]


def job_content(work: Path, **parts: dict[str, Any]) -> dict[str, Any]:
    """The job, with parts of it changed."""
    train, held_out = write_text(work / "text")
    content: dict[str, Any] = {
        "name": "small",
        "teacher": {"model": str(teacher_folder())},
        "corpus": {"train": [str(train.absolute())], "validation": [str(held_out.absolute())], "sequence_length": 128},
        "space": "quickstart",
        "search": {"hyperparameters": [{"batch_size": 16}], "held_out_sequences": 32},
    }
    for name, part in parts.items():
        content[name] = part if name == "space" else content.get(name, {}) | part
    return content


def run_job(home: Path, content: dict[str, Any]) -> Run:
    """Run the job as a user would, and read its times."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "job.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf8")
    started = time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", "ose", "--home", home, "job", "run", file],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert process.stderr
    lines = [(time.time() - started, line) for line in process.stderr]
    if process.wait() != 0:
        raise SystemExit("".join(line for _, line in lines))
    wall_s = time.time() - started
    return _read(home, started, wall_s, {line[:-5]: at for at, line in lines if re.match(r".+ \.\.\.$", line)})


def _read(home: Path, started: float, wall_s: float, stages_s: dict[str, float]) -> Run:
    with ose.Workspace(home) as workspace:
        job = workspace.jobs(1)[0]
        candidates = workspace.store.candidates(job.id)
        trials = [workspace.store.trials(job.id, each.number)[-1] for each in candidates]
        cost = workspace.cost(job.id)
    evaluated = [each.evaluation for each in candidates if each.evaluation]
    ended = [trial.finished_at.timestamp() for trial in trials if trial.finished_at]
    begun = [end - each.wall_time_s for end, each in zip(ended, evaluated, strict=True)]
    return Run(
        job_id=job.id,
        stages_s=stages_s,
        first_training_s=min(begun) - started,
        training_s=max(ended) - min(trial.started_at.timestamp() for trial in trials),
        work_s=sum(each.wall_time_s for each in evaluated),
        wall_s=wall_s,
        cost=cost,
        candidates=candidates,
    )


def conditions() -> str:
    """What figures depend on beside the code."""
    import platform

    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {load} at the end"


def write_report(folder: Path, name: str, content: dict[str, Any], text: str) -> None:
    """Both for programs and for people, and print the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=str), encoding="utf8")
    (folder / f"{name}.md").write_text(text, encoding="utf8")
    print(text)
