from pathlib import Path

import pytest

from ose.errors import EvaluationError
from ose.latency import shipping
from ose.latency.shipping import packed, unpack

NAMES = ("weights.bin", "config.json", "optional")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(bytes(range(256)))
    (folder / "config.json").write_text("{}")
    (folder / "secret").write_text("of somebody else")
    return folder


def test_the_runtimes_files_arrive_and_no_others(folder: Path, tmp_path: Path) -> None:
    unpack(packed(folder, NAMES), tmp_path / "there")
    assert sorted(file.name for file in (tmp_path / "there").iterdir()) == ["config.json", "weights.bin"]
    for name in ("config.json", "weights.bin"):
        assert (tmp_path / "there" / name).read_bytes() == (folder / name).read_bytes()


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="nowhere holds no saved model"):
        packed(tmp_path / "nowhere", NAMES)


def test_what_is_too_large_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "MAX_BYTES", 257)
    with pytest.raises(EvaluationError, match="takes 258 bytes; at most 257 are sent"):
        packed(folder, NAMES)
