"""How fast the machine is at the moment, told by a fixed calculation.

On a shared host a neighbour may sit on the other half of a core: everything takes a fifth to a half longer for half a
minute, evenly, and this machine's own count of busy time does not show it. A calculation that is always the same does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

from ose.core.pace import is_slow

_CALLS = 40
"""Some 50 ms on a server's core: short beside a measurement, long beside an interrupt."""

_POLL_S = 0.5

FIRST_PATIENCE_S = 10.0
"""May be waited before anything has been measured: a search of a few shapes takes little longer itself."""


def machine_pace_ms() -> float:
    """The lower quartile of some calls of a fixed encoder layer, in as many threads as are set.

    A small layer, because busy neighbours slow small operations down most: where it has its best time, so has
    whatever is measured. The quartile, because what interrupts single calls is seen in the measurement's own spread.
    """
    call, times_ms = _fixed_layer(), []
    with torch.inference_mode():
        for _ in range(_CALLS):
            started = time.perf_counter()
            call()
            times_ms.append((time.perf_counter() - started) * 1e3)
    return sorted(times_ms)[_CALLS // 4]


def _fixed_layer() -> Callable[[], torch.Tensor]:
    """One layer of 128 tokens, 192 wide with 6 heads and 576 inside: the operations of an encoder, and nothing else."""
    generator = torch.Generator().manual_seed(0)
    states, into, out_of = (torch.randn(*size, generator=generator) for size in ((128, 192), (192, 576), (576, 192)))
    square = out_of[:192]

    def call() -> torch.Tensor:
        query, key, value = (states @ into).view(128, 3, 6, 32).permute(1, 2, 0, 3)
        attended = F.scaled_dot_product_attention(query, key, value).transpose(0, 1).reshape(128, 192)
        inner = F.layer_norm(attended @ square + states, (192,))
        return F.layer_norm(F.gelu(inner @ into) @ out_of + inner, (192,))

    return call


class Patience:
    """Waits for the machine to become fast, but not much longer than it is measured on.

    On a machine that has become slow for good, or is slow for hours because of a neighbour, measuring then takes at
    most twice the time, and a few seconds.

    Args:
        pace_ms: How fast the machine is now.
    """

    def __init__(self, pace_ms: Callable[[], float] = machine_pace_ms) -> None:
        self._pace_ms = pace_ms
        self._left_s = FIRST_PATIENCE_S

    def earn(self, measured_s: float) -> None:
        """A measurement took so long: so long may be waited, too."""
        self._left_s += measured_s

    def wait(self, best_pace_ms: float | None) -> bool:
        """Whether the machine is as fast as it can be: at once, or after as much waiting as has been earned."""
        started = time.perf_counter()
        while (is_waiting := is_slow(self._pace_ms(), best_pace_ms)) and time.perf_counter() - started < self._left_s:
            time.sleep(_POLL_S)
        self._left_s -= time.perf_counter() - started
        return not is_waiting
