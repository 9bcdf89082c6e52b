"""Processes that do the same thing to one database at the same moment.

Run as a script, a racer says that it is ready, waits for a line on its input, acts, and prints the outcome.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta


def race_processes(action: str, url: str, owners: list[str]) -> list[str]:
    """Let one process per owner `open` a database or `claim` its job-1; return their outcomes in order."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    racers = [
        subprocess.Popen(
            [sys.executable, __file__, action, url, owner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for owner in owners
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
    from ose.store.engine import open_store

    _wait_for_start()
    store = open_store(url)
    jobs = store.jobs()
    store.close()
    return f"{len(jobs)} jobs"


def _claim(url: str, owner: str) -> str:
    from builders import NOW

    from ose.store.engine import open_store

    store = open_store(url)
    _wait_for_start()
    is_won = store.claim_job("job-1", owner, NOW, NOW + timedelta(minutes=1))
    store.close()
    return "won" if is_won else "lost"


if __name__ == "__main__":
    action, url, owner = sys.argv[1:]
    print({"open": _open, "claim": _claim}[action](url, owner))
