"""Processes that act on one database at the same moment.

Run as a script, a racer says that it is ready, waits for a line on its input, acts, and prints the outcome.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta


def race_processes(url: str, actions: Mapping[str, str]) -> list[str]:
    """Let one process for each owner do its action; return their outcomes in order."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    racers = [
        subprocess.Popen(
            [sys.executable, __file__, action, url, owner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for owner, action in actions.items()
    ]
    for racer in racers:
        assert racer.stdout and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return [racer.communicate(timeout=60)[0].strip() for racer in racers]


def _wait_for_start() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _open(url: str, _owner: str) -> str:
    """Open the database, which nobody has made yet."""
    from ose.store.database import open_store

    _wait_for_start()
    with closing(open_store(url)) as store:
        return f"{len(store.jobs())} jobs"


def _claim(url: str, owner: str) -> str:
    """Claim job-1."""
    from builders import NOW

    from ose.store.database import open_store

    with closing(open_store(url)) as store:
        _wait_for_start()
        return "won" if store.claim_job("job-1", owner, NOW, NOW + timedelta(minutes=1)) else "lost"


def _take(url: str, owner: str) -> str:
    """Take job-1 from `owner`, once some of its trials are open."""
    from builders import NOW

    from ose.store.database import open_store

    with closing(open_store(url)) as store:
        _wait_for_start()
        while not store.trials("job-1", 10):
            pass
        return "won" if store.claim_job("job-1", owner, NOW, NOW + timedelta(minutes=1), evict="owner") else "lost"


def _open_trials(url: str, owner: str) -> str:
    """Open trials of the candidates of job-1 until the job is lost, and count them."""
    from builders import NOW

    from ose.errors import ConflictError
    from ose.store.database import open_store

    with closing(open_store(url)) as store:
        candidates = store.candidates("job-1")
        _wait_for_start()
        for count, candidate in enumerate(candidates):
            try:
                store.open_trial("job-1", owner, candidate.id, f"trial-{candidate.number}", "worker", NOW)
            except ConflictError:
                return str(count)
        return str(len(candidates))


def _empty(url: str, owner: str) -> str:
    """Claim jobs until none waits, and name them. Asking again under the same name would get the same job."""
    from builders import NOW

    from ose.store.database import open_store

    with closing(open_store(url)) as store:
        _wait_for_start()
        claimed: list[str] = []
        while job := store.claim_next_job(f"{owner}-{len(claimed)}", NOW, NOW + timedelta(minutes=1)):
            claimed.append(job.id)
        return " ".join(claimed)


_ACTIONS: dict[str, Callable[[str, str], str]] = {
    "open": _open,
    "claim": _claim,
    "take": _take,
    "open_trials": _open_trials,
    "empty": _empty,
}

if __name__ == "__main__":
    action, url, owner = sys.argv[1:]
    print(_ACTIONS[action](url, owner))
