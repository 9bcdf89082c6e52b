"""Where OSE keeps things, from the environment. Beside `limits.py` the only reader of its variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field is set by the variable `OSE_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="OSE_")

    home: Path = Path("results")
    """Folder of the database, artifacts and runs."""

    database_url: str | None = None
    """SQLAlchemy URL; by default the SQLite file `ose.db` in the home folder."""

    ray_address: str | None = None
    """A running Ray cluster; by default jobs that want Ray start one on this machine, on loopback."""

    data_root: Path | None = None
    """Folder of the teachers and texts that jobs submitted over HTTP may name; without it, only what a hub has."""

    token: SecretStr | None = None
    """What `ose --server` shows a service. Read from here alone: arguments are seen by every user of a machine."""

    @property
    def store_url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'ose.db'}"

    @property
    def artifacts(self) -> Path:
        """Folder of search data and checkpoints, which workers must see under the same path."""
        return self.home.absolute() / "artifacts"
