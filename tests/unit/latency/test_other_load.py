import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from ose.latency.other_load import OtherLoad

_BUSY = "while True: pass"


@pytest.fixture
def busy_processes() -> Iterator[None]:
    """One for each core, so that they get time whatever else runs."""
    processes = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(psutil.cpu_count())]
    yield
    for process in processes:
        process.kill()
        process.wait()


def work(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


@pytest.mark.processes
@pytest.mark.usefixtures("busy_processes")
def test_processes_beside_are_counted() -> None:
    load = OtherLoad()
    time.sleep(0.5)
    cores = load.cores()
    assert cores is not None and cores > 0.5


@pytest.mark.slow
def test_own_work_is_not() -> None:
    load, started_s, started_cpu_s = OtherLoad(), time.perf_counter(), time.process_time()
    work(0.5)
    own = (time.process_time() - started_cpu_s) / (time.perf_counter() - started_s)
    cores = load.cores()
    assert cores is not None and cores < psutil.cpu_count() - own + 0.2


def test_where_nobody_counts_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert OtherLoad().cores() is None
