"""A search on workers that do not exist: what the coordinator itself costs, and whether it keeps them busy.

    python benchmarks/service/simulated_cluster.py --workers 1000 --candidates 100000 --output results/simulated

Everything but the workers is real: coordinator, lease, strategy, database. A virtual clock jumps from event to event, so the time that
passes outside it is the coordinator's own. One task in a hundred fails for a passing reason, one in a thousand for a
lasting one, one in five hundred takes its worker with it for a minute, one in a hundred takes ten times as long.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.service.service_data import LARGE, evaluation, latency, metrics, new_job
from benchmarks.shared.small_job import conditions, write_report
from ose.coordinator.coordinator import Coordinator
from ose.core.job import CandidateStatus, JobStatus
from ose.core.measurement import Evaluation, LatencyMeasurement, TeacherQuality
from ose.core.messages import (
    DataRequest,
    DataSummary,
    EvaluationRequest,
    Request,
    Result,
    TargetsRequest,
    TimedModel,
)
from ose.core.progress import Silence
from ose.core.spec import SearchSpec, WorkersSpec
from ose.store.base import Store
from ose.store.database import open_store
from ose.workers.simulated import Faults, SimulatedBackend, VirtualClock

FAULTS = Faults(passing=0.01, lasting=0.001, lost=0.002, straggling=0.01, slowdown=10.0, restart_s=60.0)
QUALITY = TeacherQuality(entropy_nats=2.0, entropy_stderr_nats=0.02, metrics=metrics(2.1, 0.6), num_targets=5000)


class Watch(Silence):
    """Notes memory and time as candidates end."""

    def __init__(self, every: int) -> None:
        self.samples: list[dict[str, float]] = []
        self.num_ended = 0
        self.stages: list[tuple[str, float]] = []
        self._every, self._process = every, psutil.Process()

    def stage(self, title: str, total: int) -> None:
        """Note when it began."""
        self.num_ended = 0
        self.stages.append((title, time.perf_counter()))

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Note the memory now and then."""
        self.num_ended += steps
        if self.stages[-1][0].startswith("Training") and self.num_ended % self._every == 0:
            megabytes = self._process.memory_info().rss / 2**20
            self.samples.append({"ended": self.num_ended, "at_s": time.perf_counter(), "rss_mb": round(megabytes, 1)})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--losses", type=int, default=20, help="of steps and of sequences in each result")
    parser.add_argument("--database", help="URL of an empty database; a SQLite file in the output folder otherwise")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def add_simulated_job(store: Store, job_id: str, num_candidates: int, num_workers: int) -> None:
    new = new_job(job_id)
    search = SearchSpec(epsilon=max(1, LARGE.count() // num_candidates), initialization="random", max_attempts=5)
    spec = replace(new.spec, search=search, workers=WorkersSpec(count=num_workers))
    store.add_job(replace(new, spec=spec))


def simulated_backend(num_workers: int, clock: VirtualClock, losses: int) -> SimulatedBackend:
    known: dict[float, Evaluation] = {}

    def duration_s(task: Request) -> float:
        if not isinstance(task, EvaluationRequest):
            return 5.0
        return 10.0 + task.architecture.num_hidden_layers * task.architecture.hidden_size / 100

    def result(task: Request) -> Result:
        if isinstance(task, DataRequest):
            return DataSummary(num_sequences=1000, held_out_sequences=task.held_out_sequences)
        if isinstance(task, EvaluationRequest):
            loss = round(2.2 + 40 / task.architecture.hidden_size, 2)
            return known.setdefault(loss, evaluation(loss, losses, losses))
        return QUALITY if isinstance(task, TargetsRequest) and task.shard is None else None

    def measured(model: TimedModel) -> LatencyMeasurement:
        shape = model.architecture
        return latency(0.1 + shape.num_hidden_layers * shape.hidden_size / 100)

    return SimulatedBackend(num_workers, clock, duration_s, result, measured, FAULTS)


def run(store: Store, arguments: argparse.Namespace) -> dict[str, Any]:
    job_id = "simulated"
    add_simulated_job(store, job_id, arguments.candidates, arguments.workers)
    clock = VirtualClock()
    backend = simulated_backend(arguments.workers, clock, arguments.losses)
    watch = Watch(every=max(1, arguments.candidates // 50))
    coordinator = Coordinator(store, lambda _: backend, Path("/nowhere"), watch, clock)
    wall_s, processor_s = time.perf_counter(), time.process_time()
    job = coordinator.run(job_id)
    wall_s, processor_s = time.perf_counter() - wall_s, time.process_time() - processor_s
    if job.status is not JobStatus.SUCCEEDED:
        raise SystemExit(f"the job ended {job.status}: {job.failure}")
    counts = store.count_candidates(job_id)
    num_candidates = sum(counts.values())
    return {
        "candidates": num_candidates,
        "workers": arguments.workers,
        "wall_s": round(wall_s, 1),
        "processor_s": round(processor_s, 1),
        "own_ms_per_candidate": round(1000 * wall_s / num_candidates, 2),
        "own_processor_ms_per_candidate": round(1000 * processor_s / num_candidates, 2),
        "virtual_hours": round(clock.now_s / 3600, 2),
        "statuses": counts,
        "stages_s": _lengths(watch.stages),
        "memory": watch.samples,
        **checked(store, job_id, backend),
    }


def _lengths(stages: list[tuple[str, float]]) -> dict[str, float]:
    ends = [at for _, at in stages[1:]] + [time.perf_counter()]
    return {title: round(end - at, 1) for (title, at), end in zip(stages, ends, strict=True)}


def checked(store: Any, job_id: str, backend: SimulatedBackend) -> dict[str, Any]:
    """Every candidate has ended, and has one result or the number of failures that a final one takes.

    Raises:
        SystemExit: One has not.
    """
    with store._transactions.read() as connection:
        found = connection.exec_driver_sql(
            "SELECT c.status, sum(CASE WHEN t.status = 'SUCCEEDED' THEN 1 ELSE 0 END), count(t.id) "
            "FROM candidates c LEFT JOIN trials t ON t.candidate_id = c.id WHERE c.job_id = 'simulated' GROUP BY c.id, c.status"
        ).all()
    kinds = Counter((status, successes) for status, successes, _ in found)
    if set(kinds) - {(CandidateStatus.SUCCEEDED, 1), (CandidateStatus.FAILED, 0)}:
        raise SystemExit(f"candidates and their results: {kinds}")
    num_trials = sum(trials for *_, trials in found)
    return {"trials": num_trials, "tasks": backend.num_submitted, "utilisation": round(backend.utilisation, 4)}


def report(figures: dict[str, Any]) -> str:
    first, last = figures["memory"][0], figures["memory"][-1]
    slope = 1000 * (last["rss_mb"] - first["rss_mb"]) / max(1, last["ended"] - first["ended"])
    lines = [
        "# A search on simulated workers",
        "",
        f"{figures['candidates']:,} candidates on {figures['workers']:,} workers; {conditions()}.",
        "",
        "| what | figure | target |",
        "| --- | --- | --- |",
        f"| coordinator's own time per candidate, wall | {figures['own_ms_per_candidate']} ms | 5 ms |",
        f"| of that on a processor | {figures['own_processor_ms_per_candidate']} ms | |",
        f"| workers busy, while any candidate waited | {100 * figures['utilisation']:.1f} % | |",
        f"| memory at the {first['ended']:,}th and at the last candidate | {first['rss_mb']} MB, {last['rss_mb']} MB: "
        f"{slope:.2f} MB per 1,000 candidates | flat |",
        f"| virtual time | {figures['virtual_hours']} h in {figures['wall_s']} s | |",
        "",
        f"Statuses: {figures['statuses']}; {figures['trials']:,} trials, {figures['tasks']:,} tasks. Stages, seconds: {figures['stages_s']}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / "simulated.db"
    if arguments.database is None:
        file.unlink(missing_ok=True)
    with closing(open_store(arguments.database or f"sqlite:///{file}")) as store:
        figures = run(store, arguments)
    if arguments.database is None:
        file.unlink()
    write_report(arguments.output, "simulated_cluster", figures, report(figures))


if __name__ == "__main__":
    main()
