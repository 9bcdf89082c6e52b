import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ose.artifacts import regular_files
from ose.artifacts.regular_files import open_regular, require_regular


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_text("inside")
    (tmp_path / "outside").write_text("outside")
    return tmp_path / "root"


def read(path: Path, root: Path | None = None) -> str:
    with open_regular(path, root) as file:
        return file.read().decode()


def complaint(path: Path, root: Path | None = None) -> str:
    with pytest.raises(OSError) as caught:
        open_regular(path, root)
    return str(caught.value.strerror)


def test_links_are_followed_as_far_as_the_root(root: Path) -> None:
    (root / "near").symlink_to("file")
    (root / "far").symlink_to(root.parent / "outside")
    (root / "up").symlink_to(root.parent)
    assert read(root / "near", root) == "inside"
    assert read(root / "far") == "outside"
    assert complaint(root / "far", root) == complaint(root / "up" / "outside", root)
    assert "leads out" in complaint(root / "far", root)


def test_a_root_may_itself_be_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    assert read(root.parent / "link" / "file", root.parent / "link") == read(root / "file", root.parent / "link")


def test_a_place_outside_does_not_tell_whether_something_is_there(root: Path) -> None:
    (root / "far").symlink_to(root.parent / "nothing")
    assert "leads out" in complaint(root / "far", root)


def test_pipes_devices_sockets_and_folders_are_never_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(root)  # a socket's path is short
        server.bind("socket")
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    kinds = {"pipe": "a pipe", "socket": "a socket", ".": "a directory", "/dev/zero": "a device"}
    assert {name: complaint(root / name) for name in kinds} == {
        name: f"it is no file but {kind}" for name, kind in kinds.items()
    }
    assert opened == []


def test_links_in_a_circle_are_an_error(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert complaint(root / "a", root)


@pytest.mark.parametrize("replacement", [os.mkfifo, lambda path: path.symlink_to(path.parent.parent / "outside")])
def test_a_file_that_is_replaced_at_the_last_moment_is_noticed(
    root: Path, monkeypatch: pytest.MonkeyPatch, replacement: Callable[[Path], None]
) -> None:
    def replaced(path: Path, inside: Path | None) -> os.stat_result:
        found = require_regular(path, inside)
        path.unlink()
        replacement(path)
        return found

    monkeypatch.setattr(regular_files, "require_regular", replaced)
    assert "replaced" in complaint(root / "file", root)
