import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ose.artifacts.files import atomic_directory, atomic_file, remove_leftovers, storage_errors, write_json
from ose.errors import StorageError


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root outside a locked container can mount a tiny disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "export"
    with atomic_directory(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a.txt").write_text("a")
        assert not target.exists()
    assert (target / "sub" / "a.txt").read_text() == "a"
    assert os.listdir(target.parent) == ["export"]


def test_a_folder_is_replaced_with_all_its_old_files(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with atomic_directory(tmp_path / "export") as folder:
            (folder / name).write_text(name)
    assert os.listdir(tmp_path / "export") == ["new"]
    assert os.listdir(tmp_path) == ["export"]


def test_a_failing_block_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "export") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_directory(tmp_path / "export") as folder:
        (folder / "a").write_text("half")
        _ = 1 / 0
    assert (tmp_path / "export" / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["export"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "export") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(StorageError), atomic_directory(tmp_path / "export") as folder:
        folder.rmdir()
    assert (tmp_path / "export" / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["export"]


def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_json_ends_with_a_newline_and_makes_its_folder(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "a.json", {"é": [1]})
    text = (tmp_path / "deep" / "a.json").read_text(encoding="utf8")
    assert text.endswith("}\n")
    assert json.loads(text) == {"é": [1]}


def test_content_that_is_no_json_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", object())
    assert os.listdir(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "1\n"


@pytest.mark.processes
def test_a_full_disk_leaves_the_old_folder(tiny_disk: Path) -> None:
    with atomic_directory(tiny_disk / "export") as folder:
        (folder / "a").write_bytes(b"old")
    with pytest.raises(StorageError, match="the disk is full"), atomic_directory(tiny_disk / "export") as folder:
        (folder / "a").write_bytes(b"x" * 100_000)
    assert (tiny_disk / "export" / "a").read_bytes() == b"old"
    assert os.listdir(tiny_disk) == ["export"]


@pytest.mark.processes
def test_a_full_disk_leaves_the_old_file(tiny_disk: Path) -> None:
    write_json(tiny_disk / "a.json", "old")
    with pytest.raises(StorageError, match="the disk is full"):
        write_json(tiny_disk / "a.json", "x" * 100_000)
    assert os.listdir(tiny_disk) == ["a.json"]
    assert json.loads((tiny_disk / "a.json").read_text()) == "old"


@pytest.mark.processes
def test_a_full_disk_under_safetensors_is_told_as_one(tiny_disk: Path) -> None:
    with pytest.raises(StorageError, match="the disk is full"), atomic_directory(tiny_disk / "weights") as folder:
        save_file({"weight": torch.zeros(100_000)}, folder / "model.safetensors")
    assert os.listdir(tiny_disk) == []


WRITE_BEYOND_THE_LIMIT = """
import resource, sys
from pathlib import Path
from ose.artifacts.files import atomic_directory
from ose.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with atomic_directory(Path(sys.argv[1])) as folder:
        if sys.argv[2] == "safetensors":
            import numpy, safetensors.numpy
            safetensors.numpy.save_file({"a": numpy.zeros(10_000)}, folder / "a")
        else:
            (folder / "a").write_bytes(bytes(80_000))
except StorageError as error:
    print(error)
"""


@pytest.mark.processes
@pytest.mark.parametrize("writer", ["python", "safetensors"])
def test_a_limit_on_file_sizes_leaves_the_old_folder(writer: str, tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "export") as folder:
        (folder / "a").write_text("old")
    command = [sys.executable, "-c", WRITE_BEYOND_THE_LIMIT, str(tmp_path / "export"), writer]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "export could not be written: File too large" in done.stdout
    assert (tmp_path / "export" / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["export"]


def test_a_file_in_the_way_of_a_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written: "), atomic_file(tmp_path / "file" / "a.json"):
        pass


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full: .*model could not be written; free some space"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "model is not writable"),
        (errno.EROFS, "model is not writable"),
        (errno.EIO, "model could not be written: Input/output error"),
    ],
)
def test_the_systems_refusals_are_told_in_one_line(number: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=message) as caught, storage_errors(tmp_path / "model"):
        raise OSError(number, os.strerror(number))
    assert isinstance(caught.value.__cause__, OSError)


def test_other_errors_pass_untranslated(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no business of the disk"), storage_errors(tmp_path):
        raise RuntimeError("no business of the disk")


KILLED_WRITERS = """
import os, signal, sys
from pathlib import Path
from ose.artifacts.files import atomic_directory, atomic_file
with atomic_directory(Path(sys.argv[1]) / "export") as folder, atomic_file(Path(sys.argv[1]) / "file") as file:
    (folder / "a").write_text("half")
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.processes
def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write_json(tmp_path / "kept.json", 1)
    (tmp_path / ".hidden").write_text("kept")
    done = subprocess.run([sys.executable, "-c", KILLED_WRITERS, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 4
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "kept.json"]


def test_a_folder_that_does_not_exist_has_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


def test_what_a_living_writer_writes_is_no_leftover(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "file") as temporary:
        temporary.write_text("half")
        remove_leftovers(tmp_path)
        temporary.write_text("whole")
    assert (tmp_path / "file").read_text() == "whole"
