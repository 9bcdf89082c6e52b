"""Whether those who began a long answer may still have it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from anyio import to_thread

from ose.core.access import Token
from ose.service.gate import Gate
from ose.service.tokens import TokenKeeper


class Standing:
    """Looks at the tokens for all long answers together, so that a thousand of them cost no more than one.

    Args:
        tokens: Of the database.
        gate: Of the server.
        every_s: How old a look may be, in seconds.
        clock: In seconds.
    """

    def __init__(
        self, tokens: TokenKeeper, gate: Gate, every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens = tokens
        self._gate = gate
        self._every_s = every_s
        self._clock = clock
        self._seen_s = float("-inf")
        self._valid: frozenset[str] = frozenset()
        self._asks = True
        self._looking = asyncio.Lock()

    async def lasts(self, token: Token | None) -> bool:
        """Whether a caller would still get in: with the token, or without one where none is asked for.

        Raises:
            StoreError: The database cannot be reached.
        """
        async with self._looking:
            now_s = self._clock()
            if now_s - self._seen_s >= self._every_s:
                self._asks, self._valid = await to_thread.run_sync(self._look)
                self._seen_s = now_s
        return not self._asks if token is None else token.id in self._valid

    def _look(self) -> tuple[bool, frozenset[str]]:
        return self._gate.look(), self._tokens.valid_ids()
