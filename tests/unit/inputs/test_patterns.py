import glob
import os
from pathlib import Path

import pytest

from ose.errors import CorpusError
from ose.inputs.patterns import PatternWalk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("a.txt", "b.log", ".hidden.txt", "deep/c.txt", "deep/er/d.txt", ".hide/e.txt", "odd[1]/f.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text")
    return root


def matches(root: Path, pattern: str) -> list[str]:
    return sorted({str(path.relative_to(root)) for path in PatternWalk(root).files(pattern)})


@pytest.mark.parametrize(
    "pattern",
    [
        "*.txt", "**/*.txt", "**", "**/*", "deep/**", "deep/*", "*/*.txt", "[ab].*", "?.txt", ".*.txt", ".hide/*",
        "d*/**", "**/d.txt", "deep/**/*.txt", "nothing/*", "a.txt/*", "odd[[]1]/*", "**/er/*",
    ],
)  # fmt: skip
def test_patterns_mean_what_they_mean_to_the_standard_library(root: Path, pattern: str) -> None:
    found = glob.iglob(pattern, root_dir=root, recursive=True)
    assert matches(root, pattern) == sorted({name for name in found if (root / name).is_file()})


def test_links_are_followed_inside_the_root_alone_and_no_circle_is(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "secret.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "deep" / "up").symlink_to(root)
    (root / "in").symlink_to(root / "deep")
    assert matches(root, "**/*.txt") == ["a.txt", "deep/c.txt", "deep/er/d.txt", "odd[1]/f.txt"]
    assert matches(root, "in/*.txt") == ["deep/c.txt"]
    assert matches(root, "out/*") == matches(root, "*/secret.txt") == []


def test_pipes_match_nothing(root: Path) -> None:
    os.mkfifo(root / "pipe.txt")
    assert matches(root, "p*") == []


def test_the_entries_of_all_patterns_are_counted_together(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSE_MAX_PATTERN_ENTRIES", "12")
    walk = PatternWalk(root)
    assert len(list(walk.files("*.txt"))) == 1  # of six entries
    assert len(list(walk.files("?.txt"))) == 1
    with pytest.raises(CorpusError, match="OSE_MAX_PATTERN_ENTRIES"):
        list(walk.files("a.*"))


def test_a_folder_that_cannot_be_listed_holds_nothing(tmp_path: Path) -> None:
    assert matches(tmp_path / "nowhere", "*") == []
