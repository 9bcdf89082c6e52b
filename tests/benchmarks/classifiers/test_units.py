"""Work in units: done once, in order, by whichever process is free."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from benchmarks.classifiers.units import Results, Unit, do_all


def unit(name: str, done: list[str], *needs: str) -> Unit:
    def make() -> str:
        done.append(name)
        return f"made {name}"

    return Unit(name=name, kind="", make=make, needs=needs)


def test_units_are_done_in_order_as_far_as_what_they_need_is_there(tmp_path: Path) -> None:
    done: list[str] = []
    units = [unit("a/last", done, "b", "c"), unit("b", done, "c"), unit("c", done), unit("never", done, "nothing")]
    assert do_all(units, Results(tmp_path)) == []
    assert done == ["c", "b", "a/last"]
    assert Results(tmp_path)["a/last"] == "made a/last" and "never" not in Results(tmp_path)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    done: list[str] = []
    for _ in range(2):
        do_all([unit("a", done), unit("b", done, "a")], Results(tmp_path))
    assert done == ["a", "b"]


def test_what_another_process_has_in_hand_is_left_to_it(tmp_path: Path) -> None:
    done: list[str] = []
    with (tmp_path / "a.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not Results(tmp_path).attempt(unit("a", done))
    assert Results(tmp_path).attempt(unit("a", done)) and done == ["a"]


@pytest.mark.filterwarnings("default")
def test_a_unit_that_fails_is_named_and_stops_no_other(tmp_path: Path) -> None:
    done: list[str] = []

    def fail() -> None:
        raise ValueError("no")

    units = [Unit(name="bad", kind="", make=fail), unit("after", done, "bad"), unit("other", done)]
    assert do_all(units, Results(tmp_path)) == ["bad"]
    assert done == ["other"]
    assert do_all([unit("bad", done), unit("after", done, "bad")], Results(tmp_path)) == []
    assert done == ["other", "bad", "after"]
