"""Results recorded by several writers at once: each a process with its own job, as coordinators are."""

from __future__ import annotations

import multiprocessing
import time
import uuid
from typing import Any

from benchmarks.service.service_data import NOW, OWNER, add_job, evaluation, members
from ose.core.score import Score
from ose.store.database import open_store

RESULT = evaluation(4.0)
SCORE = Score(value=0.1, stderr=0.01)


def recording_figures(url: str, rows_each: int) -> dict[str, Any]:
    """One writer alone, and four. Any error, of a lock above all, ends the benchmark."""
    return {f"{number} writers" if number > 1 else "1 writer": _record(url, number, rows_each) for number in (1, 4)}


def _record(url: str, num_writers: int, rows_each: int) -> dict[str, Any]:
    jobs = [uuid.uuid4().hex for _ in range(num_writers)]
    store = open_store(url)
    new = list(members(rows_each))
    for job in jobs:
        add_job(store, job)
        store.add_candidates(job, OWNER, new)
    store.close()
    context = multiprocessing.get_context("fork")
    together, found = context.Barrier(num_writers), context.Queue()
    writers = [context.Process(target=_write, args=(url, job, together, found)) for job in jobs]
    for writer in writers:
        writer.start()
    outcomes = [found.get() for _ in writers]
    for writer in writers:
        writer.join()
    wall_s = max(end for _, end, *_ in outcomes) - min(begin for begin, *_ in outcomes)
    rows = num_writers * rows_each
    return {
        "rows": rows,
        "rows_per_s": round(rows / wall_s),
        "slowest_ms": round(1000 * max(slowest for *_, slowest, _ in outcomes)),
        "processor_ms_per_row": round(1000 * sum(used for *_, used in outcomes) / rows, 2),
    }


def _write(url: str, job: str, together: Any, found: Any) -> None:
    """Open a trial of each candidate and record its result: two transactions, as in a search."""
    store = open_store(url)
    candidates = store.candidates(job)
    together.wait()
    begin, used_s, slowest_s = time.perf_counter(), time.process_time(), 0.0
    for candidate in candidates:
        began, trial = time.perf_counter(), uuid.uuid4().hex
        store.open_trial(job, OWNER, candidate.id, trial, "writer", NOW)
        assert store.record_success(trial, RESULT, SCORE, NOW)
        slowest_s = max(slowest_s, time.perf_counter() - began)
    found.put((begin, time.perf_counter(), slowest_s, time.process_time() - used_s))
    store.close()
