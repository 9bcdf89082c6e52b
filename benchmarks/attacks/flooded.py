"""How long does a good submission take while another token's hang by the hundred?

    python benchmarks/attacks/flooded.py --output results/attacks

A real `ose serve` with a silent hub. The good token submits one job after the other; the callers of the other token name a
teacher of that hub, and each asks again a second after its answer. They live in a process of their own, so that what is
timed is the server and not its clients.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.service.service_clients import percentile
from benchmarks.shared.small_job import conditions, write_report
from ose.inputs.quickstart_job import teacher_folder, write_text

sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))
from floods import Server, open_files, serving, silent_hub

JOBS = "/api/v1/jobs"
HANGS = {"teacher": {"model": "somebody/model"}}


def job(**changes: Any) -> dict[str, Any]:
    space = {"num_hidden_layers": [1], "num_attention_heads": [4], "hidden_size": [32], "intermediate_size": [64]}
    content = {"name": "good", "teacher": {"model": "teacher"}, "corpus": {"train": ["text.txt"]}, "space": space}
    return content | changes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--callers", type=int, nargs="+", default=[0, 200, 1000, 0])
    arguments = parser.parse_args()
    open_files(4000)
    rows = [measured(callers, arguments.submissions) for callers in arguments.callers]
    write_report(arguments.output, "flooded", {"conditions": conditions(), "rows": rows}, report(rows))


def measured(callers: int, count: int) -> dict[str, Any]:
    """Seconds of each good submission, and of `/healthz` between them, while so many others hang."""
    with tempfile.TemporaryDirectory() as folder, silent_hub() as hub:
        root = Path(folder) / "data"
        shutil.copytree(teacher_folder(), root / "teacher")
        shutil.copy(write_text(root / "text")[0], root / "text.txt")
        with serving(
            Path(folder) / "home", root, ("slow", "good"), {"HF_ENDPOINT": hub, "OSE_MAX_QUEUED_JOBS": "1000"}
        ) as server:
            _submit(server)  # starts the first checker
            with hanging(server, callers):
                pairs = [(_submit(server), server.ask("GET", "/healthz").seconds) for _ in range(count)]
    return {"callers": callers, "submissions_s": [one for one, _ in pairs], "healthz_s": [other for _, other in pairs]}


def _submit(server: Server) -> float:
    answer = server.ask("POST", JOBS, job(), by="good")
    if answer.status != 201:
        raise SystemExit(f"a good submission was answered {answer.status}: {answer.body.decode()}")
    return answer.seconds


@contextmanager
def hanging(server: Server, callers: int) -> Iterator[None]:
    """So many callers of the other token, in a process of their own, from half a second on."""
    process = multiprocessing.get_context("spawn").Process(
        target=keep_asking, args=(server.port, server.tokens, callers), daemon=True
    )
    process.start()
    time.sleep(10 if callers else 0)  # all are there, and the refused ones have come again
    yield
    process.kill()
    process.join()


def keep_asking(port: int, tokens: dict[str, str], callers: int) -> None:
    import threading

    open_files(4000)
    server = Server(process=None, port=port, tokens=tokens)  # type: ignore[arg-type]

    def ask() -> None:
        while True:
            with suppress(OSError):
                server.ask("POST", JOBS, job(**HANGS), by="slow", timeout_s=120)
            time.sleep(1)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def report(rows: list[dict[str, Any]]) -> str:
    """A line for each number of callers."""
    lines = [
        "# A good submission beside hanging ones",
        "",
        f"{conditions()}. Times in milliseconds; the other token's callers each ask again a second after their answer.",
        "",
        "| hanging callers | submissions | p50 | p90 | p99 | slowest | /healthz p50 | /healthz p99 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        times = [f"{1000 * percentile(row['submissions_s'], each):.0f}" for each in (50, 90, 99, 100)]
        health = [f"{1000 * percentile(row['healthz_s'], each):.1f}" for each in (50, 99)]
        lines.append(f"| {row['callers']} | {len(row['submissions_s'])} | {' | '.join([*times, *health])} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
