from pathlib import Path

import builders
import pytest

from ose.store.relative_paths import HomePaths


@pytest.mark.parametrize("path", ["/elsewhere/a", "org/name", "hf:org/name", "/data/home", "/data/homes/a"])
def test_what_is_not_below_the_home_is_kept_as_it_is(path: str) -> None:
    places = HomePaths(Path("/data/home"))
    assert places.kept(path) == places.found(path) == path


def test_what_is_below_the_home_is_found_in_another() -> None:
    kept = HomePaths(Path("/data/home")).kept("/data/home/artifacts/a b")
    assert kept == "home:artifacts/a b"
    assert HomePaths(Path("/mnt")).found(kept) == "/mnt/artifacts/a b"


@pytest.mark.parametrize("kept", ["home:../x", "home:a/../../x", "home:/etc"])
def test_nothing_leads_out_of_the_home(kept: str) -> None:
    assert HomePaths(Path("/data/home")).found(kept) == kept


def test_a_home_of_two_names_is_one_home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to("home")
    places = HomePaths(tmp_path / "link")
    assert places.kept(f"{tmp_path}/home/a") == places.kept(f"{tmp_path}/link/a") == "home:a"


def test_what_holds_no_paths_is_the_very_same() -> None:
    places = HomePaths(Path("/data/home"))
    for value in (builders.job_spec(), builders.architecture(), ("a", "b"), None, 3):
        assert places.kept(value) == value and places.found(value) == value


def test_without_a_home_nothing_is_changed() -> None:
    assert HomePaths(None).kept("/a") == "/a" and HomePaths(None).found("home:a") == "home:a"
