"""Do two checkouts search the same? The same jobs with the same seeds in both, compared to the last bit.

    python scripts/compare_checkouts.py path/to/one path/to/other [--parts search ray halving extension others quickstart]

Each checkout runs by the environment in its folder (`.venv/bin/ose`), so it does not matter where its modules lie. Jobs
are ranked by a rule without latency. Of the leaderboards' rows all is compared but what is measured in time, and of
students the digest of the exported weights. The first difference is printed, and the exit status is 1. Needs some three
minutes without `quickstart`, which is the whole one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMED = ("latency_p50_ms", "latency_p90_ms", "latency_flagged", "is_pareto", "wall_time_s")
"""What a row says of time, and what follows from it."""

WITHOUT_LATENCY = "1,0,1"
SPACE = {"num_hidden_layers": [2, 4], "num_attention_heads": [4], "hidden_size": [96, 192], "intermediate_size": [256]}
SEARCH = {"steps": 4, "hyperparameters": [{"batch_size": 4}], "held_out_sequences": 8, "precision": "float32"}
HALVING = {"strategy": "halving", "min_steps": 2, "eta": 2, "steps": 4, "keep_checkpoints": 2}
OTHER_TEACHERS = ("distilbert", "modernbert")
MAKE_OTHER_TEACHERS = """
import sys, torch
from pathlib import Path
from transformers import (
    AutoTokenizer, DistilBertConfig, DistilBertForMaskedLM, ModernBertConfig, ModernBertForMaskedLM
)
teacher, folder = Path(sys.argv[1]), Path(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(teacher)
shared = {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "pad_token_id": tokenizer.pad_token_id}
ends = {"bos_token_id": None, "eos_token_id": None, "cls_token_id": None, "sep_token_id": None}
torch.manual_seed(0)
models = {
    "distilbert": DistilBertForMaskedLM(DistilBertConfig(n_layers=2, n_heads=4, dim=64, hidden_dim=128, **shared)),
    "modernbert": ModernBertForMaskedLM(ModernBertConfig(
        num_hidden_layers=2, num_attention_heads=4, hidden_size=64, intermediate_size=96, **shared, **ends)),
}
for name, model in models.items():
    model.save_pretrained(folder / name)
    tokenizer.save_pretrained(folder / name)
"""
Rows = list[dict[str, Any]]


class Checkout:
    """A checkout that runs commands with its own environment.

    Args:
        folder: With the environment in `.venv`.
        home: Where its jobs and files go.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self._program, self.home = folder.resolve() / ".venv" / "bin" / "ose", home
        home.mkdir(parents=True)

    def ose(self, *arguments: object) -> str:
        """What a command prints."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ended = subprocess.run(
            [str(self._program), *map(str, arguments)],
            cwd=self.home,
            env=environment | {"OSE_HOME": str(self.home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        if ended.returncode:
            sys.exit(f"{self._program} {' '.join(map(str, arguments))}: exit status {ended.returncode}")
        return ended.stdout

    def newest_job(self) -> str:
        """Id of the job that was submitted last."""
        return str(json.loads(self.ose("job", "list", "--limit", 1, "--format", "json"))[0]["id"])

    def board(self) -> Rows:
        """Rows of the newest job's leaderboard, without what depends on time."""
        command = ("leaderboard", self.newest_job(), "--exponents", WITHOUT_LATENCY, "--format", "json")
        return untimed(json.loads(self.ose(*command))["rows"])


def untimed(rows: Rows) -> Rows:
    """Rows without `TIMED`, by the candidates' numbers."""
    kept = [{name: value for name, value in _flat(row).items() if name not in TIMED} for row in rows]
    return sorted(kept, key=lambda row: row["candidate"])


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its metrics beside its other figures, as older checkouts have them, who know no errors of them."""
    metrics = row.pop("metrics", {})
    return {**row, **{name: metric["value"] for name, metric in metrics.items()}}


def first_difference(one: Any, other: Any, place: str = "") -> str | None:
    """Where two values out of JSON differ first, and how; None if they are the same to the last bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            if name not in one or name not in other:
                return f"{place}.{name} is only in {'one' if name in one else 'the other'}"
            if found := first_difference(one[name], other[name], f"{place}.{name}"):
                return found
        return None
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{place}: {len(one)} and {len(other)} entries"
        found = (first_difference(*pair, f"{place}[{at}]") for at, pair in enumerate(zip(one, other, strict=True)))
        return next((each for each in found if each), None)
    return None if repr(one) == repr(other) else f"{place}: {one!r} and {other!r}"


def search(checkout: Checkout, job: Callable[..., Path]) -> dict[str, Any]:
    """A search without Ray, and its best student distilled and exported."""
    checkout.ose("job", "run", job("search"))
    identity, student = checkout.newest_job(), checkout.home / "student"
    checkout.ose("distill", identity, "--steps", 4)
    checkout.ose("export", identity, "--output", student)
    weights = hashlib.sha256((student / "model.safetensors").read_bytes()).hexdigest()
    return {"rows": checkout.board(), "student": weights}


def ray(checkout: Checkout, job: Callable[..., Path]) -> dict[str, Any]:
    """The same on two workers of Ray."""
    checkout.ose("job", "run", job("ray", workers={"count": 2, "cpus": 1, "backend": "ray"}))
    return {"rows": checkout.board()}


def halving(checkout: Checkout, job: Callable[..., Path]) -> dict[str, Any]:
    """All candidates a few steps, and the upper part more."""
    checkout.ose("job", "run", job("halving", search=SEARCH | HALVING))
    return {"rows": checkout.board()}


def extension(checkout: Checkout, job: Callable[..., Path]) -> dict[str, Any]:
    """The leaders of a search trained further."""
    checkout.ose("job", "run", job("extension", search=SEARCH | {"keep_checkpoints": 2, "seed": 1}))
    checkout.ose("job", "extend", checkout.newest_job(), "--steps", 8, "--top", 2)
    return {"rows": checkout.board()}


def others(checkout: Checkout, job: Callable[..., Path]) -> dict[str, Any]:
    """Students of teachers that are of no class of BERT's build, from random weights."""
    boards = {}
    for name in OTHER_TEACHERS:
        teacher = {"model": str(job("others").parent / name)}
        checkout.ose("job", "run", job(name, teacher=teacher, search=SEARCH | {"initialization": "random"}))
        boards[name] = checkout.board()
    return boards


def quickstart(checkout: Checkout, job: Callable[..., Path]) -> dict[str, Any]:
    """The whole quickstart's search."""
    checkout.ose("quickstart")
    return {"rows": checkout.board()}


PARTS = {part.__name__: part for part in (search, ray, halving, extension, others, quickstart)}


def job_writer(work: Path, teacher: Path) -> Callable[..., Path]:
    """Writes job files of a copy of `teacher` and of Python's own sources as text, the same for both checkouts."""
    shutil.copytree(teacher, work / "teacher")
    text = work / "text.txt"
    text.write_text("\n".join(Path(module.__file__ or "").read_text() for module in (argparse, tempfile, textwrap)))

    def write(name: str, **parts: dict[str, Any]) -> Path:
        content = {
            "name": name,
            "teacher": {"model": str(work / "teacher")},
            "corpus": {"train": [str(text)], "sequence_length": 32},
            "space": SPACE,
            "search": SEARCH,
            "score": {"exponents": [float(each) for each in WITHOUT_LATENCY.split(",")]},
            "latency": {"sequence_length": 32, "max_attempts": 1},
            "distillation": {"steps": 4, "batch_size": 4, "precision": "float32"},
        }
        file = work / f"{name}.yaml"
        file.write_text(json.dumps(content | parts), encoding="utf8")  # YAML has JSON in it
        return file

    return write


def make_other_teachers(checkout: Path, teacher: Path, work: Path) -> None:
    """Small teachers with random weights and the tokenizer of `teacher`, made once for both checkouts."""
    python = checkout.resolve() / ".venv" / "bin" / "python"
    subprocess.run([str(python), "-c", MAKE_OTHER_TEACHERS, str(teacher), str(work)], check=True)


def main() -> None:
    """Compare, part by part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs=2, type=Path, help="folders, each with its environment in .venv")
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=["search", "ray", "halving", "extension", "others"]
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        teacher = arguments.checkouts[0].resolve() / "ose" / "assets" / "teacher"
        write = job_writer(work, teacher)
        if "others" in arguments.parts:
            make_other_teachers(arguments.checkouts[0], teacher, work)
        sides = [Checkout(path, work / f"home-{at}") for at, path in enumerate(arguments.checkouts)]
        for name in arguments.parts:
            difference = first_difference(*(PARTS[name](side, write) for side in sides))
            if difference:
                sys.exit(f"{name}: {difference}")
            print(f"{name}: the same", flush=True)


if __name__ == "__main__":
    main()
