"""Are measured latencies real? Twenty shapes in turns with their teacher, idle and beside others, over restarts.

    git worktree add former COMMIT      # of a version that measured one shape after the other; may be left out
    python benchmarks/latency/latency.py --teacher path/to/roberta --former former --output results/latency

In each restart of each condition new processes measure the same saved models: OSE's in turns, the former version's method,
and on the idle machine a plain script, whose order is the restart's own. Writes latency.csv with every figure, a
line of raw rounds for each measurement in rounds.jsonl, and latency.md. What latency.csv has already is not done again, so
a run may be broken off, and go on with more restarts, conditions or time. `--seconds-per-shape 3` beside the same output
tells what five times the time makes of it; `--shapes 4` and `--shapes 100` what measuring so many takes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.latency.disturbances import CONDITIONS, disturbed
from benchmarks.latency.latency_report import report
from benchmarks.shared.shapes import parse_shape
from benchmarks.shared.tables import read_csv, write_csv
from ose.core.architecture import Architecture
from ose.core.job import FailureReport, TeacherFacts
from ose.core.measurement import LatencyMeasurement, LatencyProtocol
from ose.core.messages import LatencyRequest, SavedModel, SavedModelRequest, TimedModel
from ose.core.spec import TeacherSpec
from ose.inputs.teachers import inspect_teacher
from ose.latency.probe import SubprocessLatencyProbe
from ose.latency.timed_model import save_timed_model
from ose.runtimes.registry import runtime_package

TEACHER = "teacher"
_HERE = Path(__file__).parent
_TWENTY = (
    "4,12,384,1536 3,12,384,1536 6,6,192,1536 2,12,384,1536 3,12,384,768 6,6,192,768 4,8,256,512 2,12,384,768 4,6,192,768 "
    "2,8,256,1024 1,12,384,1536 3,6,192,768 2,8,256,512 3,4,128,512 2,6,192,768 1,8,256,1024 2,4,128,512 1,6,192,768 "
    "1,4,128,512 1,2,64,256"
)
"""Of a teacher of 6 layers, 384 wide: from a half of its latency to a thirtieth and less."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", type=Path, required=True, help="a model directory; shapes are of its family")
    parser.add_argument("--former", type=Path, help="a checkout of a version that measured one shape after the other")
    parser.add_argument("--restarts", type=int, default=5, help="of all processes, in each condition")
    parser.add_argument("--conditions", nargs="*", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--shapes", type=int, default=20, help="how many; beyond twenty their inner widths differ")
    parser.add_argument("--seconds-per-shape", type=float, default=LatencyProtocol().seconds_per_shape)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--without-outside", action="store_true", help="no plain script, which takes longest")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    file = options.output / "latency.csv"
    rows: list[dict[str, Any]] = [_row(each) for each in read_csv(file)] if file.exists() else []
    teacher = inspect_teacher(TeacherSpec(model=str(options.teacher)))
    shapes = shapes_of(options.shapes)
    protocol = LatencyProtocol(
        threads=options.threads, sequence_length=options.sequence_length, seconds_per_shape=options.seconds_per_shape
    )
    with saved_models(teacher, shapes, protocol) as models:
        for restart in range(options.restarts):
            for condition in options.conditions:
                rows += _missing(options, rows, condition, restart, shapes, models, protocol)
                write_csv(file, rows)
    text = report(rows)
    (options.output / "latency.md").write_text(text, encoding="utf8")
    print(text)


def shapes_of(count: int) -> list[Architecture]:
    """The twenty, a part of them, or with their inner widths changed as often as it takes."""
    twenty = [parse_shape(each) for each in _TWENTY.split()]
    if count <= len(twenty):
        return twenty[:: len(twenty) // count][:count]
    more = (parse_shape(f"{d},{a},{h},{i - 16 * times}") for times in range(1, 10) for d, a, h, i in map(_axes, twenty))
    return [*twenty, *more][:count]


def _axes(shape: Architecture) -> tuple[int, int, int, int]:
    return shape.num_hidden_layers, shape.num_attention_heads, shape.hidden_size, shape.intermediate_size


def _row(told: dict[str, str]) -> dict[str, Any]:
    texts = {"condition", "method", "architecture"}
    return {name: value if name in texts else json.loads(value or "null") for name, value in told.items()}


@contextmanager
def saved_models(
    teacher: TeacherFacts, shapes: Sequence[Architecture], protocol: LatencyProtocol
) -> Iterator[dict[str, SavedModel]]:
    """The teacher and shapes, by name, as latency processes take them."""
    with TemporaryDirectory() as scratch:
        saved = {}
        for name, shape in {TEACHER: None, **{str(each): each for each in shapes}}.items():
            model = TimedModel(teacher=teacher, architecture=shape or teacher.architecture, is_teacher=shape is None)
            folder = Path(scratch) / str(len(saved))
            runtime = runtime_package(protocol.runtime)
            save_timed_model(
                SavedModelRequest(id=name, folder=str(folder), model=model, runtime=runtime, precision=protocol.dtype)
            )
            saved[name] = SavedModel(folder=str(folder), vocab_size=teacher.embedding.vocab_size)
        yield saved


def _missing(
    options: argparse.Namespace,
    rows: Sequence[dict[str, Any]],
    condition: str,
    restart: int,
    shapes: Sequence[Architecture],
    models: dict[str, SavedModel],
    protocol: LatencyProtocol,
) -> Iterator[dict[str, Any]]:
    """What one restart in one condition tells, as far as it is not known yet."""
    same = {"condition": condition, "restart": restart, "shapes": len(shapes)}
    names = list(models)
    random.Random(restart).shuffle(names)
    methods: dict[str, Any] = {"turns": lambda: in_turns(options, same, names, models, protocol)}
    if options.former is not None:
        best = min((row["pace_ms"] for row in rows if row["pace_ms"]), default=None)
        methods["former"] = lambda: by_former(options.former, names, models, protocol, best)
    if condition == "idle" and not options.without_outside:
        methods["outside"] = lambda: by_outsider(options, names, shapes)
    for method, measure in methods.items():
        key = {**same, "method": method, "seconds_per_shape": options.seconds_per_shape}
        if any(all(row[name] == value for name, value in key.items()) for row in rows):
            continue
        with disturbed(condition):
            time.sleep(3 if CONDITIONS[condition] else 0)  # until they work
            started = time.perf_counter()
            found = measure()
            seconds = time.perf_counter() - started
        for name, figures in found.items():
            yield {**key, "architecture": name, "seconds": round(seconds, 2), **_blank(), **figures}


def _blank() -> dict[str, Any]:
    names = ("p50_ms", "ratio", "ratio_stderr", "absolute_stderr_ms", "is_flagged", "rounds", "share", "pace_ms")
    return dict.fromkeys(names)


def in_turns(
    options: argparse.Namespace,
    same: dict[str, Any],
    names: Sequence[str],
    models: dict[str, SavedModel],
    protocol: LatencyProtocol,
) -> dict[str, dict[str, Any]]:
    """OSE's latency process; of its rounds a line each is kept."""
    others = [name for name in names if name != TEACHER]
    request = LatencyRequest(
        reference=models[TEACHER],
        models=tuple(models[name] for name in others),
        inputs=protocol.inputs,
        protocol=protocol,
    )
    with SubprocessLatencyProbe(protocol) as probe:
        reply = probe.measure(request)
    found: dict[str, LatencyMeasurement] = {TEACHER: reply.reference[0]}
    for name, each in zip(others, reply.models, strict=True):
        if isinstance(each, FailureReport):
            raise RuntimeError(each.message)
        found[name] = each[0]
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "rounds.jsonl").open("a", encoding="utf8") as file:
        for name, measured in found.items():
            print(json.dumps({**same, "architecture": name, **asdict(measured)}), file=file)
    return {name: _figures(measured) for name, measured in found.items()}


def _figures(measured: LatencyMeasurement) -> dict[str, Any]:
    cpu = measured.cpu_samples_ms
    return {
        "p50_ms": round(measured.p50_ms, 4),
        "ratio": measured.ratio,
        "ratio_stderr": measured.ratio_stderr,
        "absolute_stderr_ms": measured.absolute_stderr_ms,
        "is_flagged": int(measured.is_flagged),
        "rounds": len(measured.samples_ms),
        "share": None if cpu is None else round(sum(cpu) / sum(measured.samples_ms), 3),
    }


def by_former(
    checkout: Path, names: Sequence[str], models: dict[str, SavedModel], protocol: LatencyProtocol, best: float | None
) -> dict[str, dict[str, Any]]:
    """The method of a former version, in its own checkout."""
    conditions = {name: value for name, value in asdict(protocol).items() if name != "seconds_per_shape"}
    asked = {"protocol": conditions, "best_pace_ms": best, "models": [asdict(models[name]) for name in names]}
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "request.json"
        file.write_text(json.dumps(asked), encoding="utf8")
        command = [sys.executable, str(_HERE / "former.py"), str(file)]
        environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
        told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=checkout, env=environment)
    found = map(json.loads, told.stdout.splitlines())
    return {name: {**each, "is_flagged": int(each["is_flagged"])} for name, each in zip(names, found, strict=True)}


def by_outsider(
    options: argparse.Namespace, names: Sequence[str], shapes: Sequence[Architecture]
) -> dict[str, dict[str, Any]]:
    """A plain script, which knows nothing of OSE."""
    by_name = {str(each): asdict(each) for each in shapes}
    changes = [{key: value for key, value in by_name.get(name, {}).items() if key != "family"} for name in names]
    told = [str(options.teacher), str(options.threads), str(options.sequence_length), json.dumps(changes)]
    command = [sys.executable, str(_HERE / "outside.py"), *told]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: {"p50_ms": float(each)} for name, each in zip(names, output.splitlines(), strict=True)}


if __name__ == "__main__":
    main()
