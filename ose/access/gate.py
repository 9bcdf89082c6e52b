"""Whether a server asks its callers for tokens: not before there has been one, and from then on for good."""

from __future__ import annotations

import logging
import time

from ose.access.token_keeper import TokenKeeper
from ose.access.token_marker import TokenMarker
from ose.errors import StorageError, StoreError

_LOG = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
"""A token that was made from another home is seen this late; one of this home at once, by its marker."""


def must_ask(marker: TokenMarker, has_tokens: bool) -> bool:
    """Whether a server has to ask from its start.

    Args:
        marker: Of its home.
        has_tokens: Whether the database has a token, valid or not.

    Raises:
        StoreError: There has been a token, and the database has none: it is another one, or has been emptied.
        StorageError: It could not be remembered whether there has been one.
    """
    if has_tokens:
        return True
    if marker.is_there():
        raise StoreError(
            f"there have been tokens, as {marker.path} remembers, but the database has none: bring it back. To begin "
            "anew, make a token with `ose token create` or remove that file; --without-tokens opens the server as it is"
        )
    if not marker.can_be_left():
        raise StorageError(
            f"{marker.path.parent} cannot be written, so nothing there remembers whether there has been a token; "
            "--without-tokens opens the server"
        )
    return False


class Gate:
    """The gate of a running server.

    Args:
        tokens: Of its database.
        is_shut: Whether it asks for tokens already.
        stays_open: Whether it never will.
    """

    def __init__(self, tokens: TokenKeeper, *, is_shut: bool = False, stays_open: bool = False) -> None:
        self._tokens = tokens
        self._stays_open = stays_open
        self._looked_at_s = -_LOOK_EVERY_S
        self.is_shut = is_shut and not stays_open

    def has_to_look(self) -> bool:
        """Whether a request has to wait for a look: each of them at the database was a third of a page's cost."""
        if self.is_shut or self._stays_open:
            return False
        return self._tokens.are_remembered() or time.monotonic() - self._looked_at_s >= _LOOK_EVERY_S

    def look(self) -> bool:
        """Whether every caller has to show a token by now. As long as there has been none, this asks the database.

        Raises:
            StoreError: It cannot be reached.
        """
        if not self.is_shut and not self._stays_open and self._tokens.have_been():
            self.is_shut = True
            _LOG.warning("there is a token now: from here on every caller has to show one")
        self._looked_at_s = time.monotonic()
        return self.is_shut
