"""What a search costs beside the training of its candidates, against the project's targets.

    python benchmarks/overhead/overhead.py --output results/overhead

Four parts. The candidates are real ones of the quickstart's teacher, trained for so few steps that each takes about 0.15 s of
its worker: a first search finds out how many steps that are. Then the same search runs with targets and latencies
stored, and one whose targets are stored but whose shapes nobody has measured. Dispatch is what the twenty took from the
first one given out to the last result stored. `ose --help` and `ose leaderboard` are whole processes; the rows are those
twenty, fifteen times.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.shared.small_job import PLAIN, Run, conditions, job_content, run_job, write_report
from ose.core.architecture import EmbeddingShape
from ose.core.search_space import SearchSpace
from ose.families.counts import FamilyCounts

WORK_S = 0.15
NUM_CANDIDATES, NUM_WORKERS = 20, 2
NUM_ROWS = 300

MILLION = SearchSpace(
    name="million",
    num_hidden_layers=tuple(range(1, 26)),
    num_attention_heads=(4,),
    hidden_size=tuple(range(64, 64 + 4 * 200, 4)),
    intermediate_size=tuple(range(64, 64 + 16 * 200, 16)),
)
"""Nothing but different (D, H, I): the hardest to order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measurement beside its target."""

    what: str
    measured_s: float
    target_s: float | None
    note: str = ""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=10, help="of each command")
    parser.add_argument("--calibration-steps", type=int, default=10, help="of the first search's candidates")
    return parser.parse_args()


def space_figure() -> Figure:
    embedding = EmbeddingShape(vocab_size=50_265, max_position_embeddings=514)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    size = MILLION.count()
    visited = sum(1 for _ in MILLION.members(FamilyCounts(embedding), stride=1000))
    elapsed_s = time.perf_counter() - started
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    note = f"{visited} of {size:,} built, {memory:.0f} MB more memory"
    return Figure(what="count, order and stride a million members", measured_s=elapsed_s, target_s=5, note=note)


def command_figures(home: Path, job_id: str, repeats: int) -> list[Figure]:
    multiply_rows(home / "ose.db", job_id, NUM_ROWS // NUM_CANDIDATES)
    figures = []
    for what, arguments in (("--help`", ["--help"]), (f"leaderboard` of {NUM_ROWS} rows", ["leaderboard", job_id])):
        command = [sys.executable, "-m", "ose", "--home", str(home), *arguments]
        before = processor_s()
        times = sorted(process_s(command) for _ in range(repeats))
        note = f"best {times[0]:.2f} s of {repeats}; {(processor_s() - before) / repeats:.2f} s of processor time each"
        figures.append(Figure(what=f"`ose {what}", measured_s=median(times), target_s=0.5, note=note))
    return figures


def processor_s() -> float:
    """Of all processes that have ended: it depends less on what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process_s(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def multiply_rows(database: Path, job_id: str, times: int) -> None:
    """Have a finished job hold its candidates and their trials so many times over."""
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        candidates = [dict(row) for row in connection.execute("SELECT * FROM candidates WHERE job_id = ?", (job_id,))]
        for copy in range(1, times):
            for candidate in candidates:
                fresh = {**candidate, "id": None, "number": candidate["number"] + copy * len(candidates)}
                fresh_id = insert(connection, "candidates", fresh)
                for row in connection.execute("SELECT * FROM trials WHERE candidate_id = ?", (candidate["id"],)):
                    insert(connection, "trials", {**row, "id": f"{row['id']}-{copy}", "candidate_id": fresh_id})


def insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> int | None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    return connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values())).lastrowid


def small_search(work: Path, steps: int, widen: int = 0) -> dict[str, Any]:
    """Twenty candidates; `widen` gives them other shapes on the same targets."""
    return job_content(
        work,
        corpus={"sequence_length": 32},
        space={
            "num_hidden_layers": [1, 2],
            "num_attention_heads": [2, 4],
            "hidden_size": [64],
            "intermediate_size": [64 + widen + 32 * each for each in range(5)],
        },
        search={"steps": steps, "hyperparameters": [{"batch_size": 8}], "held_out_sequences": 16, "inheritance": PLAIN},
        workers={"count": NUM_WORKERS},
    )


def steps_for(run: Run) -> int:
    """Steps after which a candidate has taken its 0.15 s."""
    evaluated = [each.evaluation for each in run.candidates if each.evaluation]
    steps_s = median(each.training_time_s for each in evaluated)
    other_s = median(each.wall_time_s for each in evaluated) - steps_s
    return max(1, round((WORK_S - other_s) / steps_s * evaluated[0].num_steps))


def search_figures(work: Path, home: Path, calibration_steps: int) -> tuple[list[Figure], dict[str, Run]]:
    steps = steps_for(run_job(home, small_search(work, calibration_steps)))
    runs = {
        "new targets, known latencies": run_job(home, small_search(work, steps)),
        "all stored": run_job(home, small_search(work, steps)),
        "stored targets, 20 new shapes": run_job(home, small_search(work, steps, widen=4)),
    }
    cached, new = runs["all stored"], runs["stored targets, 20 new shapes"]
    ideal_s = cached.work_s / NUM_WORKERS
    share = f"{steps} steps, {cached.work_s / NUM_CANDIDATES:.2f} s each; {ideal_s:.2f} s were their work"
    return [
        Figure(what="dispatch 20 candidates to 2 workers", measured_s=cached.training_s, target_s=3, note=share),
        Figure(
            what="submit to first training, all stored",
            measured_s=cached.first_training_s,
            target_s=10,
            note=told(cached),
        ),
        Figure(
            what="the same with 20 new shapes to measure",
            measured_s=new.first_training_s,
            target_s=None,
            note=told(new),
        ),
    ], runs


def told(run: Run) -> str:
    return "; ".join(f"{title.lower()} at {at:.1f} s" for title, at in run.stages_s.items())


def markdown(figures: list[Figure]) -> str:
    lines = [
        f"Overhead of a search: {conditions()}.",
        "",
        "| what | measured | target | |",
        "| --- | --- | --- | --- |",
    ]
    for each in figures:
        target = "" if each.target_s is None else f"{each.target_s:g} s"
        missed = "" if each.target_s is None or each.measured_s <= each.target_s else " (missed)"
        lines.append(f"| {each.what} | {each.measured_s:.2f} s{missed} | {target} | {each.note} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    options = parse_arguments()
    figures = [space_figure()]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        home = work / "home"
        searched, runs = search_figures(work, home, options.calibration_steps)
        figures += searched
        figures += command_figures(home, runs["all stored"].job_id, options.repeats)
    content = {
        "figures": [asdict(each) for each in figures],
        "runs": {name: summary(run) for name, run in runs.items()},
    }
    write_report(options.output, "overhead", content, markdown(figures))


def summary(run: Run) -> dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if name != "candidates"}


if __name__ == "__main__":
    main()
