"""A service of OSE from elsewhere: the verbs of `ose.Workspace` over HTTP."""

from __future__ import annotations

from ose.client.remote import RemoteWorkspace

__all__ = ["RemoteWorkspace"]
