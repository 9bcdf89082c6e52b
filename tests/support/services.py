"""Real servers on loopback, and databases with something to show."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import builders
import uvicorn
from builders import NOW

from ose.api.app import create_app
from ose.api.dependencies import ServerOptions
from ose.api.server import server_config
from ose.core.job import Job, JobStatus
from ose.core.objectives import measures, teacher_measures
from ose.core.score import score
from ose.store.base import Store
from ose.workspace import Workspace


@contextmanager
def serving(workspace: Workspace, options: ServerOptions) -> Iterator[str]:
    """Serve a workspace from a thread; yields the URL."""
    app = create_app(workspace, options)
    # Without a lifespan the first submission loads the checkers, a second or so that most tests need not spend.
    config = server_config(app, "127.0.0.1", 0, log_level="critical", timeout_graceful_shutdown=1, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def add_finished_job(store: Store, job_id: str = "job-1", count: int = 5) -> Job:
    """A job that has scored so many candidates: the larger, the slower and the better."""
    store.add_job(builders.new_job(job_id))
    store.claim_job(job_id, "owner", NOW, NOW + timedelta(hours=1))
    shapes = [builders.architecture(hidden=32 * number) for number in range(1, count + 1)]
    new = [builders.new_candidate(number, architecture=shape) for number, shape in enumerate(shapes, start=1)]
    teacher = store.add_latency("teacher", "p", "f", builders.latency(100.0), NOW)
    store.record_teacher(job_id, "owner", quality=builders.teacher_quality(), latency_id=teacher.id)
    for candidate in store.add_candidates(job_id, "owner", new):
        add_result(store, job_id, candidate.id, candidate.number)
    store.finish_job(job_id, "owner", JobStatus.SUCCEEDED, NOW)
    return store.job(job_id)


def add_result(store: Store, job_id: str, candidate_id: int, number: int) -> None:
    """Score a candidate of a job that `owner` runs."""
    latency = store.add_latency(f"shape-{number}", "p", "f", builders.latency(float(number)), NOW)
    store.attach_latency(job_id, "owner", [candidate_id], latency.id)
    trial = f"trial-{candidate_id}"
    store.open_trial(job_id, "owner", candidate_id, trial, "worker", NOW)
    evaluation = builders.evaluation(6.0 - 0.1 * number)
    job = store.job(job_id)
    student = measures(store.candidate(job_id, number).num_parameters, latency.measurement, evaluation)
    store.record_success(trial, evaluation, score(student, teacher_measures(job), job.spec.score), NOW)
