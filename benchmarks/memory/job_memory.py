"""Counted memory against measured peaks: whole small searches of random teachers, one after the other.

    python benchmarks/memory/job_memory.py --output results/job_memory [--case NAME ...]

Each case is a real `ose job run` in a process of its own, whose peak of resident memory is read from the system while it runs;
beside it stands what `ose.core.memory` counts for it before. Teachers are BERT's, of random weights; texts are random words.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.shared.small_job import conditions, write_report
from ose.core.memory import worker_memory
from ose.families.counts import counts_of
from ose.inputs.corpora import inspect_corpus
from ose.inputs.job_file import load_job_file
from ose.inputs.teachers import inspect_teacher

LOOK_EVERY_S = 0.02
NUM_WORDS = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A job: its teacher's vocabulary and shape, and what trains."""

    name: str
    vocab_size: int
    layers: int
    hidden: int
    batch_size: int = 32
    length: int = 128
    initialization: str = "random"


CASES = (
    Case(name="800, tiny", vocab_size=800, layers=2, hidden=32),
    Case(name="800, inherited", vocab_size=800, layers=6, hidden=256, initialization="inherit"),
    Case(name="30,522, small", vocab_size=30_522, layers=4, hidden=256),
    Case(name="30,522, inherited", vocab_size=30_522, layers=6, hidden=384, initialization="inherit"),
    Case(name="30,522, long", vocab_size=30_522, layers=4, hidden=256, batch_size=8, length=512),
    Case(name="250,002, batch 8", vocab_size=250_002, layers=2, hidden=64, batch_size=8),
    Case(name="250,002, batch 32", vocab_size=250_002, layers=2, hidden=64),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A case with its bytes."""

    case: Case
    counted: int
    measured: int
    seconds: float

    @property
    def ratio(self) -> float:
        """How much of the measured peak was counted."""
        return self.counted / self.measured


def write_case(case: Case, folder: Path) -> Path:
    """The case's teacher, text and job file."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    words = [f"w{number}" for number in range(case.vocab_size - 5)]
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    BertTokenizerFast(str(vocabulary), model_max_length=512).save_pretrained(folder / "teacher")
    torch.manual_seed(0)
    shape = {"num_hidden_layers": case.layers, "num_attention_heads": 4, "hidden_size": case.hidden}
    config = BertConfig(vocab_size=case.vocab_size, intermediate_size=4 * case.hidden, **shape)
    BertForMaskedLM(config).save_pretrained(folder / "teacher")
    rng = random.Random(0)
    lines = (" ".join(rng.choices(words, k=50)) for _ in range(NUM_WORDS // 50))
    (folder / "text.txt").write_text("\n".join(lines))
    space = {"num_hidden_layers": [case.layers], "num_attention_heads": [4], "hidden_size": [case.hidden]}
    job = {
        "name": case.name,
        "teacher": {"model": "teacher"},
        "corpus": {"train": ["text.txt"], "sequence_length": case.length},
        "space": {**space, "intermediate_size": [4 * case.hidden]},
        "search": {
            "steps": 3,
            "hyperparameters": [{"batch_size": case.batch_size}],
            "initialization": case.initialization,
            "held_out_sequences": 32,
            "precision": "float32",
        },
    }
    (folder / "job.yaml").write_text(json.dumps(job))
    return folder / "job.yaml"


def peak_of(command: Sequence[str], home: Path) -> tuple[int, float]:
    """Peak of a command's own resident memory in bytes, and its seconds."""
    started = time.monotonic()
    run = subprocess.Popen(command, env={**os.environ, "OSE_HOME": str(home)}, stdout=subprocess.DEVNULL)
    peak = 0
    while run.poll() is None:
        peak = max(peak, _peak_bytes(run.pid))
        time.sleep(LOOK_EVERY_S)
    if run.returncode:
        raise SystemExit(f"{command} ended with {run.returncode}")
    return peak, time.monotonic() - started


def _peak_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf8")
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def run_case(case: Case) -> Outcome:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = write_case(case, folder)
        spec = load_job_file(file)
        teacher, text = inspect_teacher(spec.teacher), inspect_corpus(spec.corpus)
        counted = worker_memory(spec, teacher, counts_of(teacher), text.size_bytes)
        print(case.name, asdict(counted), flush=True)
        measured, seconds = peak_of([sys.executable, "-m", "ose", "job", "run", str(file)], folder / "home")
    return Outcome(case=case, counted=counted.peak, measured=measured, seconds=seconds)


def report(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "# Memory of a search: counted and measured",
        "",
        f"{conditions()}. One worker, three steps; GB of one process.",
        "",
        "| vocabulary, case | layers x width | batch x length | counted | measured | counted / measured |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in outcomes:
        case = each.case
        lines.append(
            f"| {case.name} | {case.layers} x {case.hidden} | {case.batch_size} x {case.length} "
            f"| {each.counted / 1e9:.2f} | {each.measured / 1e9:.2f} | {each.ratio:.2f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--case", action="append", help="only these")
    arguments = parser.parse_args()
    outcomes = [run_case(case) for case in CASES if arguments.case is None or case.name in arguments.case]
    content = {"cases": [{**asdict(each), "ratio": each.ratio} for each in outcomes]}
    write_report(arguments.output, "job_memory", content, report(outcomes))


if __name__ == "__main__":
    main()
