"""docs/TRUST.md against the code: names, numbers, job files, scripts."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import yaml

from ose.core.significance import SIGNIFICANT_STDERRS
from ose.core.spec import SearchSpec
from ose.core.trust import EXTENSION, LEADERS, Trust
from ose.inputs.job_file import parse_job
from ose.leaderboard.confidence import hint
from ose.leaderboard.row import LeaderboardRow

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "TRUST.md").read_text(encoding="utf8")
MINIMAL = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf8"), re.DOTALL)[0])


def test_the_names_are_those_of_the_json() -> None:
    rows, trust = (re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for table in TEXT.split("Below the rows"))
    told = {name for cell in rows for name in re.findall(r"`(\w+)`", cell)}
    assert told <= {field.name for field in fields(LeaderboardRow)}
    assert {"group", "loss_to_best_nats", "score_to_best_stderr"} <= told
    assert [cell.strip("`") for cell in trust[: len(fields(Trust))]] == [field.name for field in fields(Trust)]


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"more than {SIGNIFICANT_STDERRS:g} of these standard errors" in TEXT
    assert f"the first {LEADERS} under the rule" in TEXT and EXTENSION == 3 and "three times the steps" in TEXT


def test_the_hint_is_as_it_is_printed() -> None:
    trust = Trust(
        num_leaders=24, num_not_apart=3, num_gaining=1, expected_tau=0.9, num_steps=60, extend_to_steps=3 * 60
    )
    assert hint("3f9c", trust) in TEXT


def test_job_files_parse_and_every_strategy_is_told_of() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert {parse_job(MINIMAL | yaml.safe_load(block), ROOT).search.strategy for block in blocks} == {
        "random",
        "optuna",
    }
    for strategy in re.findall(r'"(\w+)"', str(SearchSpec.__annotations__["strategy"])):
        assert f"`{strategy}`" in TEXT


def test_scripts_named_are_there() -> None:
    scripts = set(re.findall(r"benchmarks/[\w/]+\.py", TEXT))
    assert len(scripts) == 3 and all((ROOT / script).exists() for script in scripts)
