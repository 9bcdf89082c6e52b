"""Run an ONNX file by ONNX Runtime, in a process that has no need of torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ose.core.measurement import LatencyProtocol
from ose.runtimes.base import Engine, Session, host_time_ms
from ose.tasks.onnx_folder import ONNX_FILE
from ose.tasks.onnx_session import open_session


class OnnxSession:
    """A file that is loaded, called with full sequences.

    Args:
        file: It.
        threads: Of one operation.
    """

    def __init__(self, file: Path, threads: int) -> None:
        self._session = open_session(file, threads)
        self._inputs = [each.name for each in self._session.get_inputs()]

    def timed(self, input_ids: NDArray[np.int64]) -> Callable[[], float]:
        """See `Session.timed`."""
        return partial(host_time_ms, partial(self._session.run, None, self._full(input_ids)))

    def output(self, input_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Session.output`."""
        output: NDArray[np.float32] = self._session.run(None, self._full(input_ids))[0]
        return output

    def _full(self, input_ids: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        values = {"input_ids": input_ids, "attention_mask": np.ones_like(input_ids)}
        return {name: values.get(name, np.zeros_like(input_ids)) for name in self._inputs}


class OnnxEngine:
    """ONNX Runtime on the CPU."""

    def open(self, folder: Path, protocol: LatencyProtocol) -> Session:
        """See `Engine.open`."""
        return OnnxSession(folder / ONNX_FILE, protocol.threads)

    def accelerator(self, device: str) -> str | None:
        """See `Engine.accelerator`."""
        return None

    def fixed_calculation(self) -> Callable[[], object]:
        """One layer of 128 tokens, 192 wide with 6 heads and 576 inside, operation by operation in numpy."""
        return _one_layer


@cache
def _weights() -> tuple[NDArray[np.float32], ...]:
    generator = np.random.default_rng(0)
    sizes = ((128, 192), (192, 576), (576, 192))
    return tuple(0.1 * generator.standard_normal(size, dtype=np.float32) for size in sizes)


def _one_layer() -> NDArray[np.float32]:
    states, into, out_of = _weights()
    query, key, value = (states @ into).reshape(128, 3, 6, 32).transpose(1, 2, 0, 3)
    scores = query @ key.swapaxes(-1, -2) / np.float32(32**0.5)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    attended = (shares / shares.sum(-1, keepdims=True) @ value).swapaxes(0, 1).reshape(128, 192)
    inner = attended @ out_of[:192] + states
    output: NDArray[np.float32] = np.tanh(inner @ into) @ out_of + inner
    return output


ENGINE: Engine = OnnxEngine()
