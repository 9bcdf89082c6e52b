"""Files and folders of their owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ose.artifacts.private import close_to_others, is_open_to_others, private_file, private_folder
from ose.errors import StorageError


@pytest.fixture(params=[0o000, 0o022], autouse=True)
def mask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_folder_that_is_made_is_private_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    before = mode(tmp_path / "there")
    private_folder(tmp_path / "there" / "a" / "b")
    private_folder(tmp_path / "there" / "a" / "b")
    assert mode(tmp_path / "there" / "a") == mode(tmp_path / "there" / "a" / "b") == 0o700
    assert mode(tmp_path / "there") == before and is_open_to_others(tmp_path / "there")
    assert not is_open_to_others(tmp_path / "there" / "a") and not is_open_to_others(tmp_path / "none")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    private_file(tmp_path / "file")
    with pytest.raises(StorageError, match="file/folder"):
        private_folder(tmp_path / "file" / "folder")


def test_a_file_is_private_from_the_start_and_keeps_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "file"
    private_file(file)
    assert mode(file) == 0o600 and file.read_bytes() == b""
    file.write_text("content")
    file.chmod(0o664)
    private_file(file)
    assert mode(file) == 0o600 and file.read_text() == "content"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_what_is_somebody_elses_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "file"
    private_file(file)
    file.chmod(0o644)
    os.chown(file, 65534, 65534)
    close_to_others(file)
    assert mode(file) == 0o644
