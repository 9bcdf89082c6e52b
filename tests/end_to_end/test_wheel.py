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


def without_dependencies(python: Path, wheel: Path) -> None:
    """The environment has, of what is installed here, all but the repository."""
    [site] = python.parents[1].glob("lib/python*/site-packages")
    others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "others.pth").write_text("\n".join(others))
    install(python, wheel, "--no-deps", "--no-index", "--ignore-installed")


def with_dependencies(python: Path, wheel: Path) -> None:
    """The environment has what a user's has, in the versions that are tested."""
    try:
        install(python, wheel, "--constraint", ROOT / "requirements.lock")
    except subprocess.CalledProcessError as failure:
        if b"No matching distribution" not in failure.stderr:
            raise
        pytest.skip("there is no package index")


def install(python: Path, wheel: Path, *options: object) -> None:
    command = [sys.executable, "-m", "pip", "--python", python, "install", *options, wheel]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


@pytest.fixture(
    scope="module",
    params=[
        without_dependencies,
        pytest.param(with_dependencies, marks=pytest.mark.long("installs 2 GB; without them the wheel is the same")),
    ],
    ids=lambda how: how.__name__,
)
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False)
    request.param(folder / "bin" / "python", wheel)
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


@pytest.mark.long
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
