from pathlib import Path

import pytest

from ose.artifacts.digests import digest_of_file
from ose.artifacts.intact import (
    damaged_file,
    intact_directory,
    intact_file,
    is_intact,
    remove_intact,
    require_intact,
    write_intact_json,
)
from ose.errors import StorageError


def put(path: Path, content: str = "content") -> Path:
    with intact_file(path) as temporary:
        temporary.write_text(content)
    return path


def put_folder(path: Path) -> Path:
    with intact_directory(path) as temporary:
        (temporary / "a").write_text("one")
        (temporary / "b").write_text("two")
    return path


def test_a_file_has_a_digest_beside_it_as_sha256sum_writes_it(tmp_path: Path) -> None:
    path = put(tmp_path / "deep" / "a.bin")
    assert is_intact(path) and require_intact(path) == path
    assert (tmp_path / "deep" / "a.bin.sha256").read_text() == f"{digest_of_file(path)}  a.bin\n"


@pytest.mark.parametrize("damage", ["contenT", "conten", "", "content and more"])
def test_a_file_that_does_not_fit_is_removed_with_its_digest(tmp_path: Path, damage: str) -> None:
    path = put(tmp_path / "a.bin")
    path.write_text(damage)
    assert damaged_file(path) == path
    assert not is_intact(path) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("digest", ["", "no digest", "0" * 64 + "  a.bin\n"])
def test_a_digest_that_does_not_fit_is_removed_with_its_file(tmp_path: Path, digest: str) -> None:
    path = put(tmp_path / "a.bin")
    path.with_name("a.bin.sha256").write_text(digest)
    assert not is_intact(path) and not list(tmp_path.iterdir())


def test_a_file_of_a_version_without_digests_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text("content")
    assert is_intact(tmp_path / "a.bin")


def test_a_file_that_is_written_again_has_the_new_digest(tmp_path: Path) -> None:
    put(tmp_path / "a.bin")
    assert is_intact(put(tmp_path / "a.bin", "CONTENT"))


def test_what_is_gone_is_told_where_it_is_read(tmp_path: Path) -> None:
    assert not is_intact(tmp_path / "a.bin")
    with pytest.raises(StorageError, match=r"a\.bin is gone, or was not what had been written .* resume the job"):
        require_intact(tmp_path / "a.bin")


def test_json_is_kept_with_its_digest(tmp_path: Path) -> None:
    write_intact_json(tmp_path / "a.json", {"a": 1})
    assert is_intact(tmp_path / "a.json") and (tmp_path / "a.json.sha256").exists()


@pytest.mark.parametrize("file", ["a", "b", "files.sha256"])
@pytest.mark.parametrize("damage", ["other", "", None])
def test_a_folder_with_a_file_that_does_not_fit_is_removed(tmp_path: Path, file: str, damage: str | None) -> None:
    folder = put_folder(tmp_path / "folder")
    assert is_intact(folder)
    (folder / file).unlink() if damage is None else (folder / file).write_text(damage)
    is_known = (file, damage) != ("files.sha256", None)  # without digests it is of an earlier version
    assert is_intact(folder) is not is_known
    assert folder.exists() is not is_known


def test_what_is_gone_already_is_removed_all_the_same(tmp_path: Path) -> None:
    remove_intact(tmp_path / "a.bin")
    path = put(tmp_path / "a.bin")
    remove_intact(path)
    assert not list(tmp_path.iterdir())
