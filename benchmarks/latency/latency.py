"""Are measured latencies real? Held against an outside timer, over process restarts, idle and beside other work.

    python benchmarks/latency/latency.py --teacher path/to/roberta --output results/latency

Twenty shapes are measured in turn: in OSE's latency process, and by a plain script that times calls of a plain
transformers model in a process of its own. Each round starts new processes and takes the shapes in another order; then
the same is done with busy processes beside. As in a search, what was measured before the machine showed how fast it can
be is measured once more at the end of its round, and the best pace of earlier rounds is known. Writes latency.csv with
every figure, and latency.md; rounds that the CSV has already are not done again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.shared.shapes import parse_shape
from benchmarks.shared.tables import read_csv, write_csv
from ose.core.architecture import Architecture
from ose.core.kendall import kendall_tau
from ose.core.measurement import LatencyMeasurement, LatencyProtocol
from ose.core.messages import LatencyRequest, SavedModelRequest, TimedModel
from ose.core.pace import BestPace, is_slow
from ose.core.spec import TeacherSpec
from ose.inputs.teachers import inspect_teacher
from ose.latency.probe import SubprocessLatencyProbe
from ose.latency.reference_pace import machine_pace_ms
from ose.latency.timed_model import save_timed_model
from ose.runtimes.registry import runtime_package
from ose.runtimes.torch.engine import ENGINE

SHAPES = [
    parse_shape(f"{depth},{heads},{hidden},{intermediate}")
    for hidden, heads in ((192, 6), (256, 4), (384, 12), (512, 8), (768, 12))
    for depth, intermediate in ((1, 3 * hidden), (2, hidden), (4, 2 * hidden), (6, 4 * hidden))
]
"""Twenty, from under a millisecond to about a hundred."""

OUTSIDE_ATTEMPTS = 2
"""Each takes some seconds, most of them to start."""

_OUTSIDE = """
import json, sys, time
import torch
from transformers import AutoConfig, AutoModel
path, threads, length, shape = sys.argv[1:]
torch.set_num_threads(int(threads))
config = AutoConfig.from_pretrained(path, dtype=torch.float32, **json.loads(shape))
model = AutoModel.from_config(config).eval()
ids = torch.randint(10, config.vocab_size, (1, int(length)))
with torch.inference_mode():
    until = time.time() + 0.3
    calls = 0
    while time.time() < until or calls < 5:
        model(input_ids=ids)
        calls += 1
    times = []
    until = time.time() + 1.0
    while time.time() < until or len(times) < 30:
        started = time.time()
        model(input_ids=ids)
        times.append(time.time() - started)
print(json.dumps(sorted(times)[len(times) // 2] * 1e3))
"""

_BUSY = """
import os, torch
torch.set_num_threads(1)
parent, a = os.getppid(), torch.randn(512, 512)
while os.getppid() == parent:  # whoever started it may be killed
    a @ a
"""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", type=Path, required=True, help="a model directory; shapes are of its family")
    parser.add_argument("--rounds", type=int, default=5, help="restarts of all processes on the idle machine")
    parser.add_argument("--loaded-rounds", type=int, default=2, help="rounds beside each number of busy processes")
    parser.add_argument(
        "--outside-rounds",
        type=int,
        default=5,
        help="of the idle ones, those with the outside timer, which takes longest",
    )
    parser.add_argument("--busy", type=int, nargs="*", default=[1, 2], help="busy processes beside")
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="how many of the twenty")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    rounds = [(0, each) for each in range(options.rounds)]
    rounds += [(busy, each) for busy in options.busy for each in range(options.loaded_rounds)]
    file = options.output / "latency.csv"
    rows: list[dict[str, Any]] = [_row(each) for each in read_csv(file)] if file.exists() else []
    done = {(row["busy"], row["round"]) for row in rows}
    for busy, index in rounds:
        if (busy, index) not in done:
            best_pace = BestPace(min((row["pace_ms"] for row in rows), default=None))
            rows += measured_round(options, busy, index, best_pace)
            write_csv(file, rows)
    text = report(rows)
    (options.output / "latency.md").write_text(text, encoding="utf8")
    print(text)


def measured_round(options: argparse.Namespace, busy: int, index: int, best_pace: BestPace) -> Iterator[dict[str, Any]]:
    """All shapes once, in OSE's process and outside, in an order of the round's own."""
    teacher = inspect_teacher(TeacherSpec(model=str(options.teacher)))
    protocol = LatencyProtocol(threads=options.threads, sequence_length=options.sequence_length)
    shapes = SHAPES[:: max(1, len(SHAPES) // options.shapes)][: options.shapes]
    random.Random(index).shuffle(shapes)
    with busy_processes(busy), SubprocessLatencyProbe(protocol) as probe:

        def measured(shape: Architecture) -> tuple[LatencyMeasurement, float | None, bool]:
            with saved_model(TimedModel(teacher=teacher, architecture=shape), protocol) as folder:
                request = LatencyRequest(
                    folder=str(folder),
                    vocab_size=teacher.embedding.vocab_size,
                    protocol=protocol,
                    best_pace_ms=best_pace.best_ms,
                )
                found = probe.measure(request)
            best_pace.learn(found)
            if not busy and index >= options.outside_rounds:
                return found, None, False
            return found, *calm_outside_ms(options, shape, best_pace, 1 if busy else OUTSIDE_ATTEMPTS)

        found = {shape: measured(shape) for shape in shapes}
        slow = [shape for shape, (each, *_) in found.items() if best_pace.was_slow(each) and not each.is_flagged]
        found |= {shape: measured(shape) for shape in slow}
    for shape, (each, outside, is_slow_outside) in found.items():
        yield {
            "busy": busy,
            "round": index,
            "architecture": str(shape),
            "p50_ms": round(each.p50_ms, 4),
            "p90_ms": round(each.p90_ms, 4),
            "other_load_cores": round(each.other_load_cores or 0.0, 3),
            "pace_ms": round(each.pace_ms or 0.0, 4),
            "attempts": each.num_attempts,
            "is_flagged": int(each.is_flagged),
            "outside_ms": None if outside is None else round(outside, 4),
            "outside_is_slow": int(is_slow_outside),
        }


@contextmanager
def saved_model(model: TimedModel, protocol: LatencyProtocol) -> Iterator[Path]:
    """A model as OSE's latency process takes it."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        runtime = runtime_package(protocol.runtime)
        save_timed_model(
            SavedModelRequest(id="model", folder=str(folder), model=model, runtime=runtime, precision=protocol.dtype)
        )
        yield folder


def _row(told: dict[str, str]) -> dict[str, Any]:
    return {name: value if name == "architecture" else json.loads(value or "null") for name, value in told.items()}


def calm_outside_ms(
    options: argparse.Namespace, shape: Architecture, best_pace: BestPace, max_attempts: int
) -> tuple[float, bool]:
    """The outside timer knows of no busy neighbour, so it is asked again if the machine was slow before or after.

    Returns:
        What it told last, and whether the machine was slow then too.
    """
    torch.set_num_threads(options.threads)
    for _ in range(max_attempts):
        before_ms, found, after_ms = machine_pace_ms(ENGINE), outside_ms(options, shape), machine_pace_ms(ENGINE)
        was_slow = is_slow(max(before_ms, after_ms), best_pace.best_ms)
        if not was_slow:
            break
    return found, was_slow


def outside_ms(options: argparse.Namespace, shape: Architecture) -> float:
    """The median of a plain script."""
    told = [str(options.threads), str(options.sequence_length), json.dumps(asdict(shape))]
    command = [sys.executable, "-c", _OUTSIDE, str(options.teacher), *told]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def report(rows: list[dict[str, Any]]) -> str:
    """One line a load.

    Errors are of what was not flagged, if anything was not, against the idle machine's outside timer, where it was fast
    if it ever was.
    """
    idle = [row for row in rows if row["busy"] == 0]
    truth = by_shape(idle, "outside_ms") | by_shape([row for row in idle if not row["outside_is_slow"]], "outside_ms")
    lines = [
        "| busy beside | flagged | error of the median, median (largest) | the outside timer's own | variation over "
        "restarts, median (largest) | Kendall's tau between restarts, least | tau with the outside timer |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for busy in sorted({row["busy"] for row in rows}):
        lines.append(_line(busy, [row for row in rows if row["busy"] == busy], truth))
    return "\n".join(lines) + "\n"


def _line(busy: int, rows: list[dict[str, Any]], truth: dict[str, list[float]]) -> str:
    medians = {name: statistics.median(values) for name, values in truth.items()}
    believed = [row for row in rows if not row["is_flagged"]] or rows
    ours, outside = by_shape(believed, "p50_ms"), by_shape(rows, "outside_ms")
    errors = [abs(statistics.median(ours[name]) / medians[name] - 1) for name in ours]
    own = [abs(statistics.median(outside[name]) / medians[name] - 1) for name in ours]
    spreads = [statistics.stdev(values) / statistics.fmean(values) for values in ours.values() if len(values) > 1]
    names = sorted(ours)
    taus = [_tau(*pair) for pair in combinations([_round(believed, index) for index in _rounds(believed)], 2)]
    with_outside = kendall_tau([statistics.median(ours[name]) for name in names], [medians[name] for name in names])
    flagged = statistics.fmean(row["is_flagged"] for row in rows)
    return (
        f"| {busy} | {flagged:.0%} | {_told(errors)} | {_told(own)} | {_told(spreads)} | "
        f"{min(taus, default=float('nan')):.3f} | {with_outside:.3f} |"
    )


def _rounds(rows: list[dict[str, Any]]) -> list[int]:
    return sorted({row["round"] for row in rows})


def _round(rows: list[dict[str, Any]], index: int) -> dict[str, float]:
    return {row["architecture"]: row["p50_ms"] for row in rows if row["round"] == index}


def _tau(one: dict[str, float], other: dict[str, float]) -> float:
    names = sorted(one.keys() & other.keys())
    return kendall_tau([one[name] for name in names], [other[name] for name in names])


def _told(values: list[float]) -> str:
    return f"{statistics.median(values):.1%} ({max(values):.1%})" if values else "-"


def by_shape(rows: list[dict[str, Any]], column: str) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for row in sorted(rows, key=lambda row: row["round"]):
        if row[column] is not None:
            values.setdefault(row["architecture"], []).append(row[column])
    return values


if __name__ == "__main__":
    main()
