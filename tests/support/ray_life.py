"""A Ray backend from start to end in a process of its own, so that all it prints and leaves can be seen.

Reads pickled tasks from its input: a short one and a long one. Writes what it saw to the file named, as JSON.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from pathlib import Path

import psutil
from processes import busiest, eventually, listening_addresses, ray_workers, wait_for_all

from ose.core.spec import WorkersSpec
from ose.workers.ray.entry import start_ray_backend


def live(report: Path) -> None:
    short, long = pickle.load(sys.stdin.buffer)
    started = time.monotonic()
    backend = start_ray_backend(WorkersSpec(count=2, cpus=1))
    ready = time.monotonic()
    backend.submit(short)
    first = backend.next_event(120)
    served = time.monotonic()
    addresses = listening_addresses(psutil.Process())
    wait_for_all(backend, short)
    backend.submit(long)
    time.sleep(0.5)
    busiest(ray_workers(psutil.Process())).kill()
    lost = backend.next_event(60)
    killed = time.monotonic()
    eventually(lambda: len(ray_workers(psutil.Process())) == 2)
    backend.submit(long)
    time.sleep(1)
    children = psutil.Process().children(recursive=True)
    closing = time.monotonic()
    backend.close()
    closed = time.monotonic()
    backend.close()
    seen = {
        "first": type(first).__name__,
        "lost": lost.failure.code if lost and hasattr(lost, "failure") else None,
        "addresses": sorted(addresses),
        "left": [child.pid for child in children if child.is_running()],
        "start_s": ready - started,
        "first_event_s": served - started,
        "close_s": closed - closing,
        "lost_s": killed - served,
        "back_s": closing - killed,
    }
    report.write_text(json.dumps(seen))


if __name__ == "__main__":
    live(Path(sys.argv[1]))
