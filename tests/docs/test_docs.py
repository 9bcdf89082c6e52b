"""Documentation that cannot rot: commands exist, YAML parses, files named are there."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from ose.cli.main import app
from ose.core.augmentation import AugmentationSpec
from ose.core.presets import PRESETS, RECIPE_FIELDS
from ose.core.recipe import LossWeights
from ose.inputs.job_file import parse_job
from ose.inputs.space_files import load_space

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf8")
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf8")
PAGES = [*(ROOT / "docs" / "decisions").glob("*.md"), ROOT / "docs" / "GPU.md"]
RECIPES = (ROOT / "docs" / "RECIPES.md").read_text(encoding="utf8")
COMMANDS = get_command(app)
YAML_IN_README = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
AXES = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size", "layers")


def leaves(command, path=()):
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, command


LEAVES = dict(leaves(COMMANDS))


def resolve(words: list[str]) -> tuple[str, ...]:
    return next((path for path in LEAVES if tuple(words[: len(path)]) == path), ())


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_help_and_an_example_that_parses(path):
    command = LEAVES[path]
    assert command.help
    example = command.epilog or ""
    assert example.startswith(f"Example: ose {' '.join(path)}")
    words = shlex.split(example.removeprefix("Example: ose "))
    command.make_context(path[-1], words[len(path) :], resilient_parsing=False)


def test_commands_in_the_readme_exist():
    named = re.findall(r"`ose ([a-z][a-z ]*)", README) + re.findall(r"^\$ ose ([^#\n]*)", README, flags=re.MULTILINE)
    assert named
    for words in named:
        group = tuple(words.split()[:1])
        assert resolve(words.split()) or any(path[:1] == group for path in LEAVES), words


def test_the_job_file_in_the_readme_is_valid_and_its_defaults_are_the_real_ones():
    minimal, rest, _ = YAML_IN_README
    plain = yaml.safe_load(minimal)
    told = {**plain, **yaml.safe_load(rest)}
    told["corpus"] = plain["corpus"] | told["corpus"]
    assert parse_job(plain, ROOT) == parse_job(told, ROOT)


def test_the_space_in_the_readme_is_valid():
    axes = yaml.safe_load(YAML_IN_README[-1])
    assert load_space(axes).size == 5 and set(axes) == set(AXES)


def test_the_presets_in_the_documentation_are_the_real_ones():
    table = re.search(r"\| field \|.*?\n\n", RECIPES, flags=re.DOTALL)[0]
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n") if line)
    assert header[1:] == list(PRESETS)
    assert {row[0].strip("`") for row in rows} == set(RECIPE_FIELDS)
    off = {field.name: 0.0 for field in fields(LossWeights)}
    for name, *cells in rows:
        for preset, cell in zip(header[1:], cells, strict=True):
            told, real = yaml.safe_load(cell), PRESETS[preset][name.strip("`")]
            if isinstance(real, LossWeights):
                told, real = off | told, asdict(real)
            elif isinstance(real, AugmentationSpec):
                real = asdict(real)
            elif isinstance(real, tuple):
                real = list(real)
            assert told == (real if isinstance(real, str) or real is None else pytest.approx(real, rel=2e-3)), name


def test_job_files_and_benchmarks_in_the_documentation_of_recipes_work():
    minimal = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)[0])
    for block in re.findall(r"```yaml\n(.*?)```", RECIPES, flags=re.DOTALL):
        assert parse_job(minimal | yaml.safe_load(block), ROOT).distillation.preset == "minilm"
    for script in re.findall(r"`(benchmarks/[\w/]+\.py)`", RECIPES):
        assert (ROOT / script).exists()


def test_files_named_in_the_architecture_and_the_decisions_exist():
    texts = [ARCHITECTURE, *(page.read_text(encoding="utf8") for page in PAGES)]
    named = {name for text in texts for name in re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.(?:py|yaml))`", text)}
    assert len(named) > 20
    missing = [name for name in named if not any((root / name).exists() for root in (ROOT, ROOT / "ose"))]
    assert not missing


def test_every_decision_is_listed_and_the_map_stays_short():
    pages = {page.name for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (ROOT / "docs" / "decisions" / "README.md").read_text("utf8"))
    assert set(listed) == pages and len(listed) == len(pages)
    assert [name[:4] for name in sorted(pages)] == [f"{number:04d}" for number in range(1, len(pages) + 1)]
    assert len(ARCHITECTURE.splitlines()) <= 120
