"""Where a student's work is queued. On a GPU: a stream of its own, and the repeated step recorded as one CUDA graph."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

Step = Callable[[], None]
Stamp = Any
"""A point in a stream's time: a `torch.cuda.Event` on a GPU, else seconds."""

PLAIN_STEPS = 3
"""Run before a step is recorded: the first makes the optimiser's state and all of them load kernels and workspaces,
which a recording cannot. They train like any other; three is what PyTorch's notes on CUDA graphs warm up with."""

_log = logging.getLogger(__name__)


class CudaStream:
    """Runs one student after the other, beside other streams.

    A GPU works its streams off at the same time, and asynchronously: what is called within `work` returns before it is
    done, so the host builds the next student while this one trains. On a CPU all is done when the call returns, and
    what is computed is the same.

    A stream is used again once its last student was waited for: the memory that its graph has reserved is then the next
    one's.

    Args:
        device: Where students train.
        uses_graphs: Whether repeated steps are recorded. Without, each kernel of a step is launched from Python, which
            takes longer than the kernels of a small student. Ignored where there is no GPU.
    """

    def __init__(self, device: torch.device, *, uses_graphs: bool = True) -> None:
        self.device = device
        self._uses_graphs = uses_graphs
        self._graph: torch.cuda.CUDAGraph | None = None
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    @contextmanager
    def work(self) -> Iterator[None]:
        """Queue here what is computed in the block, after everything that the caller's own stream has queued."""
        if self._stream is None:
            yield
        else:
            self._stream.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(self._stream):
                yield

    def repeat(self, step: Step, times: int) -> None:
        """Queue `step` so many times; to be called within `work`.

        Args:
            step: Does the same to the same tensors each time, and never waits for the device.
            times: Calls of `step` in all.
        """
        repeat(step, times, self._record if self._stream is not None and self._uses_graphs else None)

    def stamp(self) -> Stamp:
        """The moment at which everything queued so far is done."""
        if self._stream is None:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(self._stream)
        return event

    def wait(self) -> None:
        """Return when everything queued is done."""
        if self._stream is not None:
            self._stream.synchronize()

    def _record(self, step: Step) -> Step:
        """Record one call of `step`, without running it, and return what replays it.

        `torch.cuda.graph` would wait for all streams and hand all unused memory back first; and unless told otherwise
        it records every graph on one stream, whose workspace graphs that run at the same time would then share. The
        last graph is kept until the next one is there, because the memory they share goes with its last user.
        """
        graph = torch.cuda.CUDAGraph()
        graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
        try:
            step()
        finally:
            graph.capture_end()
        self._graph = graph
        return graph.replay


def repeat(step: Step, times: int, record: Callable[[Step], Step] | None) -> None:
    """Call `step` so many times, all but the first few by way of its recording.

    Args:
        step: See `CudaStream.repeat`.
        times: Calls in all.
        record: Makes a recording without running it; None calls `step` itself each time. If it fails, which changes
            nothing but takes the gain, `step` is called instead.
    """
    num_plain = times if record is None else min(times, PLAIN_STEPS)
    for _ in range(num_plain):
        step()
    if record is None or num_plain == times:
        return
    replay = _recorded(step, record)
    for _ in range(times - num_plain):
        replay()


def seconds_between(first: Stamp, last: Stamp) -> float:
    """Seconds from one stamp of a stream to another; both have been waited for."""
    return last - first if isinstance(first, float) else float(first.elapsed_time(last)) / 1e3


def _recorded(step: Step, record: Callable[[Step], Step]) -> Step:
    try:
        return record(step)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        _log.warning("a training step could not be recorded as a CUDA graph and runs without: %s", error)
        return step
