"""Run an ONNX file by ONNX Runtime, in a process that has no need of torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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


ENGINE: Engine = OnnxEngine()
