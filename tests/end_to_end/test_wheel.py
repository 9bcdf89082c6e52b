"""What `pip install` of a wheel gives: one package, which finds its workers and its spaces without the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [file] = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and, of what is installed here, all but the repository."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False)
    [site] = folder.glob("lib/python*/site-packages")
    others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "others.pth").write_text("\n".join(others))
    install = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--no-deps"]
    subprocess.run([*install, "--no-index", "--ignore-installed", str(wheel)], check=True, capture_output=True)
    return folder


def run(program: Path, *arguments: str, home: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OSE_HOME")}
    command = [str(program), *arguments]
    ended = subprocess.run(command, cwd=home, env=environment | {"OSE_HOME": str(home)}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_wheel_puts_one_package_where_it_is_installed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"ose"}
    assert {"ose/workers/executor.py", "ose/workers/ray/ray_backend.py", "ose/search_spaces/bort.yaml"} <= set(names)
    assert len(names) == len(set(names))


def test_what_is_installed_searches_without_the_repository(
    installed: Path, job: dict[str, Any], tmp_path: Path
) -> None:
    program = (
        "import ose.workers, ose.search_spaces as spaces; print(ose.workers.__file__, *spaces.__path__, sep='\\n')"
    )
    places = run(installed / "bin" / "python", "-c", program, home=tmp_path).splitlines()
    assert all(Path(place).is_relative_to(installed) for place in places)
    ose = installed / "bin" / "ose"
    assert "bort" in run(ose, "space", "list", home=tmp_path)
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    run(ose, "job", "run", "job.yaml", home=tmp_path)
    [searched] = json.loads(run(ose, "job", "list", "--format", "json", home=tmp_path))
    board = run(ose, "leaderboard", searched["id"], "--format", "csv", home=tmp_path)
    assert len(board.splitlines()) == 5 and "SUCCEEDED" in board
