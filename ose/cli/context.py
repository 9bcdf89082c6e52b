"""What the commands share: the workspace, ways to print, and how people follow long work."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ose.core.imports import without_collection
from ose.core.plain import strict_json
from ose.core.shown import shown_block

if TYPE_CHECKING:
    from ose.client import RemoteWorkspace
    from ose.verbs import Verbs
    from ose.workspace import Workspace

MOST_ROWS = 10**9
"""More than there are of anything."""


class Format(StrEnum):
    """How data is printed."""

    table = "table"
    json = "json"


@dataclass(frozen=True, slots=True)
class Context:
    """The options that stand before the command."""

    home: Path | None
    debug: bool
    server: str | None = None

    def workspace(self) -> Verbs:
        """Open this machine's workspace, or the service's, telling progress on standard error."""
        return self.this_machine() if self.server is None else self._service(self.server)

    def this_machine(self) -> Workspace:
        """Open this machine's workspace, for commands that no service runs for others."""
        from ose.cli.progress_lines import terminal_progress

        with without_collection():
            from ose.workspace import Workspace

        return Workspace(self.home, terminal_progress())

    def _service(self, url: str) -> RemoteWorkspace:
        from ose.cli.progress_lines import terminal_progress
        from ose.client import RemoteWorkspace
        from ose.settings import Settings

        token = Settings().token
        return RemoteWorkspace(url, token.get_secret_value() if token else None, terminal_progress())


def this_command() -> str:
    """How people call this command: `ose` if that is what their shell would find, else its path."""
    called = Path(sys.argv[0])
    found = shutil.which("ose")
    if found is None and called.name == "ose" and called.exists():
        path = os.path.relpath(called)
        return path if not path.startswith("..") else str(called.absolute())
    return "ose"


def print_json(content: Any) -> None:
    """Print JSON for programs."""
    typer.echo(json.dumps(strict_json(content), indent=2, default=str, allow_nan=False))


def say(message: str) -> None:
    """Print a line for people, on standard error, so that data can be piped."""
    print(shown_block(message), file=sys.stderr, flush=True)


def tell(message: object) -> None:
    """Print a line of what was asked for, on standard output."""
    typer.echo(shown_block(message))
