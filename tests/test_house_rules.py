"""Rules of the repository that no linter knows.

A module's tests are found from its name, and a test's modules from its file:

    ose/core/score.py      tests/unit/core/test_score.py
    ose/store/jobs.py      tests/contracts/store/test_jobs.py, where a contract says what a kind of thing promises
    workers/executor.py    tests/unit/workers/test_executor.py

A module that is tested through another one, or by a whole service, has no such file. The test file that covers it has
its path in its docstring: `grep -rl ose/cli/jobs.py tests`.
"""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
UNIT_TESTS = sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
HEAVY = ("torch", "transformers", "ray")
CONTROL_PLANE = (
    "cli",
    "api",
    "client",
    "workspace",
    "model_verbs",
    "composition",
    "jobs",
    "students",
    "coordinator",
    "access",
    "leaderboard",
    "strategies",
    "inputs",
    "store",
    "artifacts",
    "core",
    "settings",
    "limits",
    "errors",
)


def module_under(test: Path) -> Path:
    """tests/unit/core/test_score.py stands for ose/core/score.py, tests/unit/workers/test_a.py for workers/a.py."""
    relative = test.relative_to(ROOT / "tests" / "unit")
    module = relative.with_name(relative.name.removeprefix("test_"))
    return ROOT / module if module.parts[0] == "workers" else ROOT / "ose" / module


def files_named_after(module: Path) -> list[Path]:
    place = Path(module.parent, f"test_{module.name}").relative_to(ROOT)
    place = place.relative_to("ose") if place.parts[0] == "ose" else place
    return [file for kind in ("unit", "contracts") if (file := ROOT / "tests" / kind / place).is_file()]


@cache
def modules_named_in_tests() -> dict[Path, list[Path]]:
    """The test files that say that they cover a module."""
    named: dict[Path, list[Path]] = {}
    for test in set((ROOT / "tests").rglob("test_*.py")) - {Path(__file__)}:
        docstring = ast.get_docstring(ast.parse(test.read_text(encoding="utf8"))) or ""
        for path in re.findall(r"(?<![\w/])(?:ose|workers)/[\w/]+\.py\b", docstring):
            named.setdefault(ROOT / path, []).append(test)
    return named


def modules() -> list[Path]:
    """All but migrations, which have numbers for names: tests/unit/store/test_migrate.py runs them."""
    found = [*(ROOT / "ose").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]
    return sorted(path for path in found if path.name != "__init__.py" and "migrations" not in path.parts)


def control_plane_modules() -> list[str]:
    paths = [path.relative_to(ROOT) for path in (ROOT / "ose").rglob("*.py") if "migrations" not in path.parts]
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return sorted(name for name in names if name == "ose" or name.split(".")[1] in CONTROL_PLANE)


def loaded_heavy_libraries(modules: list[str]) -> str:
    code = f"import sys, {', '.join(modules)}; print(*sorted(set(sys.modules) & set({HEAVY})))"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("test", UNIT_TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_unit_test_names_a_module(test: Path) -> None:
    assert module_under(test).is_file()


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_is_named_by_a_test(module: Path) -> None:
    assert files_named_after(module) or module in modules_named_in_tests()


def test_tests_name_modules_that_exist() -> None:
    assert [path for path in modules_named_in_tests() if not path.is_file()] == []


@pytest.mark.processes
def test_import_ose_loads_neither_torch_nor_ray() -> None:
    assert loaded_heavy_libraries(["ose"]).split() == []


@pytest.mark.processes
def test_submitting_querying_and_scheduling_load_neither_torch_nor_ray() -> None:
    assert loaded_heavy_libraries(control_plane_modules()).split() == []


@pytest.mark.processes
def test_the_check_for_heavy_libraries_would_see_one() -> None:
    assert "torch" in loaded_heavy_libraries(["ose.training.optimizer"]).split()


@pytest.mark.parametrize("name", ["workers", "search_spaces"])
def test_folders_beside_ose_are_imported_as_parts_of_it(name: str) -> None:
    """A wheel has them inside `ose`: under another name a module would be there twice, or not at all."""
    assert (ROOT / "ose" / name).resolve() == ROOT / name
    alone = re.compile(rf"(?m)^\s*(?:from|import) {name}\b")
    assert [path for path in python_files() if alone.search(path.read_text(encoding="utf8"))] == []


def python_files() -> list[Path]:
    folders = ("ose", "workers", "search_spaces", "tests", "benchmarks", "scripts")
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


HARD_TO_READ = re.compile(r"(?i)\b(?:whoever|whomever|nobody|(?:is|are|was|were|not|who is) apart)\b")
"""Of a difference the field says that it is significant, or is not."""


def test_sentences_can_be_read_once() -> None:
    """Pages of decisions stay as they were written."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    code = [path for folder in ("ose", "workers") for path in (ROOT / folder).rglob("*.py")]
    lines = [line for path in (*pages, *code) for line in path.read_text(encoding="utf8").splitlines()]
    assert len(lines) > 10_000
    assert [line.strip() for line in lines if HARD_TO_READ.search(line)] == []


def test_the_version_has_one_home_and_the_changelog_a_section_for_it() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]["version"]
    sections = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf8"))
    assert sections[0] == "Unreleased" and sections[1].startswith(f"{version} - ")
    assert not [path for path in (ROOT / "ose").rglob("*.py") if f'"{version}"' in path.read_text(encoding="utf8")]


def test_hooks_run_the_pinned_tools_and_fetch_nothing() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf8"))["repos"]
    lint = re.search(r"(?m)^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf8"))
    assert repository["repo"] == "local" and lint is not None
    by_hand = {line.strip().split()[0] for line in lint[1].splitlines()}
    by_hook = {hook["entry"].split()[0].replace(".venv/bin", "$(BIN)") for hook in repository["hooks"]}
    assert by_hook == by_hand and {hook["language"] for hook in repository["hooks"]} == {"system"}
