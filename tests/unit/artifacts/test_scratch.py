import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ose.artifacts.scratch import ScratchFolder

HOLD = """
import time
from ose.artifacts.scratch import ScratchFolder
folder = ScratchFolder("test")
(folder.path / "file").touch()
print(folder.path, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def holder(place: Path) -> tuple[subprocess.Popen[str], Path]:
    environment = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_a_folder_goes_when_it_is_closed(place: Path) -> None:
    folder = ScratchFolder("test")
    (folder.path / "file").touch()
    folder.close()
    assert list(place.iterdir()) == []


@pytest.mark.processes
def test_the_folder_of_a_killed_process_goes_with_the_next_one(place: Path) -> None:
    process, path = holder(place)
    with process:
        beside = ScratchFolder("test")
        assert (path / "file").exists()
        process.send_signal(signal.SIGKILL)
    ScratchFolder("test").close()
    assert list(place.iterdir()) == [beside.path]
    beside.close()
