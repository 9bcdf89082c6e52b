"""Strategies replayed on a small made table, whose regrets and costs are known."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ose.core.score import ScoreRule
from ose.core.spec import Hyperparameters
from ose.strategies.exhaustive import OseStrategy
from ose.strategies.halving import HalvingStrategy

ROOT = Path(__file__).parents[3]
BY_LOSS = ScoreRule(exponents=(0, 0, 1))
THETA = (Hyperparameters(),)
HARDNESS = (-0.5, 0.5, 0.0, 0.0)
FINAL = {(depth, hidden): 5.0 - depth / 2 - hidden / 64 for depth in (1, 2) for hidden in (32, 64)}
"""The largest is the best: 3.0 nats."""


def name(depth: int, hidden: int) -> str:
    return f"L{depth}-A2-H{hidden}-I128"


def row(depth: int, hidden: int, loss: float, wall_time_s: float) -> dict[str, object]:
    size = depth * hidden
    return {
        "architecture": name(depth, hidden),
        "num_parameters": 1000 * size,
        "flops": 10**6 * size,
        "latency_p50_ms": size / 10,
        "loss_nats": loss,
        "loss_stderr_nats": 0.1,
        "wall_time_s": wall_time_s,
        "sequence_losses_nats": json.dumps([loss + each for each in HARDNESS]),
    }


def search_row(shape: tuple[int, int], steps: int) -> dict[str, object]:
    """After few steps the order is upside down; after a hundred it is the final one."""
    loss = 10.0 - FINAL[shape] if steps < 100 else FINAL[shape] + 1
    return {"initialization": "inherit", "steps": steps, "candidate": 1, **row(*shape, loss, steps)}


def write(file: Path, rows: list[dict[str, object]]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "searches.csv", [search_row(shape, steps) for steps in (10, 30, 100) for shape in FINAL])
    truth = [{**row(*shape, loss, 1000.0), "seed": 0, "steps": 2000} for shape, loss in FINAL.items()]
    write(tmp_path / "truth.csv", truth)
    teacher = {"num_parameters": 10**6, "latency_p50_ms": 20.0, "entropy_nats": 2.0}
    (tmp_path / "teacher.json").write_text(json.dumps(teacher))
    return tmp_path


@pytest.fixture
def tables() -> ModuleType:
    from benchmarks.fidelity import replay_table

    return replay_table


@pytest.fixture
def theory(tables: ModuleType) -> ModuleType:
    from benchmarks.theory import theory

    return theory


def test_the_order_is_that_of_a_search(tables: ModuleType, folder: Path) -> None:
    members = tables.read_table(folder).members
    assert [str(each.architecture) for each in members] == [name(1, 32), name(1, 64), name(2, 32), name(2, 64)]


@pytest.mark.parametrize(("steps", "regret"), [(100, 0.0), (30, 1 - 3.0 / 4.0)])
def test_an_exhaustive_search_regrets_what_its_steps_got_wrong(tables, folder, steps: int, regret: float) -> None:
    table = tables.read_table(folder)
    found = tables.Replay(table, "inherit", BY_LOSS, 0).run(OseStrategy(table.members, THETA, steps))
    assert found.regret == pytest.approx(regret)
    assert found.cost == pytest.approx(4 * steps / 4000) and found.num_trained == 4


def test_the_front_is_the_one_that_was_seen_valued_by_the_truth(tables: ModuleType, folder: Path) -> None:
    table = tables.read_table(folder)
    replay = tables.Replay(table, "inherit", BY_LOSS, 0)
    assert replay.run(OseStrategy(table.members, THETA, 100)).hypervolume == pytest.approx(1.0)
    # Upside down, the smallest seems to beat all others; it alone has the worst loss that counts.
    assert replay.run(OseStrategy(table.members, THETA, 30)).hypervolume == pytest.approx(0.0)


def test_going_on_costs_the_difference(tables: ModuleType, folder: Path) -> None:
    table = tables.read_table(folder)
    halving = HalvingStrategy(table.members, THETA, (33, 100), 2)  # 33 is looked up at 30
    found = tables.Replay(table, "inherit", BY_LOSS, 0).run(halving)
    assert found.cost == pytest.approx((4 * 30 + 3 * 70) / 4000)
    # The worst and the two in the middle, which are equal, went on, because 30 steps mislead.
    assert found.regret == pytest.approx(1 - 3.0 / 3.5)


def test_a_seed_draws_the_sequences_anew_for_all_alike(tables: ModuleType, folder: Path) -> None:
    table = tables.read_table(folder)
    strategy = OseStrategy(table.members, THETA, 100)
    proposal = strategy.ask()[0]
    seen = [tables.Replay(table, "inherit", BY_LOSS, seed)._outcome(proposal) for seed in range(4)]
    assert seen[0].loss_nats == pytest.approx(FINAL[1, 32] + 1) and len({each.loss_nats for each in seen}) > 1
    assert all(len(each.judged.sequence_losses_nats) == len(HARDNESS) for each in seen)


def test_candidates_that_were_not_distilled_are_left_out(tables: ModuleType, folder: Path) -> None:
    lines = (folder / "truth.csv").read_text().splitlines()
    (folder / "truth.csv").write_text("\n".join(lines[:-1]))
    assert len(tables.read_table(folder).members) == 3


def test_what_the_table_says_of_the_theory(tables: ModuleType, theory: ModuleType, folder: Path) -> None:
    table = tables.read_table(folder)
    along = {row["axis"]: row for row in theory.pair_rows(table)}
    assert set(along) == {"num_hidden_layers", "hidden_size"}  # nothing differs along the others
    assert along["hidden_size"] == {
        "axis": "hidden_size", "pairs": 2, "parameters": 1.0, "operations": 1.0, "latency": 1.0, "final loss": 1.0,
    }  # fmt: skip
    assert theory.order_rows(table)[1] == {
        "quantity": "operations", "parameters": 1.0, "operations": 1.0, "latency": 1.0, "final loss": 1.0,
    }  # fmt: skip


def test_what_a_stride_lacks(tables: ModuleType, theory: ModuleType, folder: Path) -> None:
    rows = {(row["rule"], row["epsilon"]): row for row in theory.stride_rows(tables.read_table(folder))}
    assert rows["W", 1]["lacking"] == rows["W", 1]["worst_start"] == 0.0
    assert rows["W", 2]["lacking"] == 0.0  # printed, W prefers the smallest, where the stride starts
    assert rows["W", 2]["worst_start"] > 0.0


def test_the_script_writes_runs_means_and_a_picture(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "strategies" / "strategies.py"),
        str(folder),
        "--output",
        str(tmp_path / "out"),
    ]
    options = ["--seeds", "2", "--epsilons", "1", "2", "--samplers", "tpe", "nsgaii"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT) + os.pathsep + os.environ.get("PYTHONPATH", "")}
    done = subprocess.run([*command, *options], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "strategies.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {each["strategy"] for each in rows} == {"ose", "random", "optuna tpe", "optuna nsgaii", "halving"}
    assert {each["seed"] for each in rows} == {"0", "1"}
    assert "| ose | epsilon 1 | inherit | 100 | 4 | 10.00% | 0.00%" in (tmp_path / "out" / "strategies.md").read_text()
    assert (tmp_path / "out" / "strategies.svg").stat().st_size > 1000
