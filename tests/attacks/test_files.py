"""What other users of the machine may read of what is written: nothing, whatever the mask."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from served import run, served

from ose.workspace import Workspace

READ = "other users of the machine read the files"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.attack(door="files", fault=READ, how="as found, with a mask that hides nothing")
def test_what_a_server_writes_is_its_owners(home: Path) -> None:
    with served(home, mask=0) as server:
        made = httpx2.post(f"{server.url}/api/v1/tokens", json={"name": "x"}, timeout=30)
        assert made.status_code == 201
        files = {path.name: mode(path) for path in home.iterdir()}
    assert set(files) == {"ose.db", "ose.db-wal", "ose.db-shm", "asks-for-tokens"}
    assert set(files.values()) == {0o600} and mode(home) == 0o700


@pytest.mark.attack(door="files", fault=READ, how="a coordinator's folders, in a home that was there before")
def test_folders_are_made_for_their_owner(home: Path) -> None:
    home.mkdir(mode=0o755)
    assert run(home, "coordinator", "--until-empty", mask=0)[0] == 0
    assert {path.name: mode(path) for path in home.iterdir() if path.is_dir()} == {"artifacts": 0o700}


@pytest.mark.attack(door="files", fault=READ, how="of an older home: its database, what lies beside it, its artifacts")
def test_what_older_ones_left_open_is_closed(home: Path) -> None:
    with Workspace(home) as workspace:
        artifacts = workspace.artifacts
        studies = Path(workspace.store.studies_url().removeprefix("sqlite:///"))
    with closing(sqlite3.connect(home / "ose.db")) as held:  # so that its log stays
        held.execute("CREATE TABLE held (a)")
        for path, old in ((home, 0o755), (artifacts, 0o755), *((file, 0o644) for file in home.glob("*.db*"))):
            path.chmod(old)
        with Workspace(home) as workspace:
            assert workspace.jobs() == [] and workspace.store.studies_url()
            assert {file.name: mode(file) for file in home.glob("*.db*")} == dict.fromkeys(
                ["ose.db", "ose.db-wal", "ose.db-shm", studies.name], 0o600
            )
    assert mode(artifacts) == 0o700
    assert mode(home) == 0o755, "others may use a folder that was there before"


@pytest.mark.attack(door="files", fault=READ, how="of a database of the operator's choice, behind a link")
def test_a_database_elsewhere_is_its_owners(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "other" / "real.db")
    monkeypatch.setenv("OSE_DATABASE_URL", f"sqlite:///{tmp_path}/link.db")
    with Workspace(home) as workspace:
        assert workspace.jobs() == []
        assert {mode(file) for file in (tmp_path / "other").iterdir()} == {0o600}
    assert mode(tmp_path / "other") == 0o700
