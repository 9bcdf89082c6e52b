"""OSE: search for the best small sub-architecture of a RoBERTa-like teacher, on your own hardware.

`Workspace` has every verb of the `ose` command; `OseError` is the base of everything raised on purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ose.errors import OseError

if TYPE_CHECKING:
    from ose.workspace import Workspace

__version__: str

__all__ = ["OseError", "Workspace", "__version__"]


def __getattr__(name: str) -> Any:
    """Load `Workspace`, and the libraries behind it, when it is first asked for; the version is pyproject.toml's."""
    if name == "Workspace":
        from ose.workspace import Workspace

        return Workspace
    if name == "__version__":
        from importlib.metadata import version

        return version("ose")
    raise AttributeError(f"module 'ose' has no attribute {name!r}")
