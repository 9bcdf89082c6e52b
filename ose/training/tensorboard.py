"""Training curves for TensorBoard."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Self

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import scalar

from ose.artifacts.files import storage_errors


class ScalarLog:
    """Writes scalars as TensorBoard event files. A resumed run adds a file to the same folder.

    `SummaryWriter` hands its points to a thread; once a full disk has killed that thread, the eleventh
    point waits for ever. We write each point ourselves, which takes microseconds, and learn of the disk.

    Args:
        folder: Show it with `tensorboard --logdir`.

    Raises:
        StorageError: The disk is full or not writable; so do all methods.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # Files are named after the second they were opened in: two of one second would be one.
            self._events = EventsWriter(str(folder / "events"), f".{uuid.uuid4().hex[:8]}")
            self._events.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with storage_errors(self._folder):
            self._events.close()

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Add one point to each curve."""
        with storage_errors(self._folder):
            for name, value in scalars.items():
                self._events.write_event(Event(wall_time=time.time(), step=step, summary=scalar(name, value)))
            self._events.flush()
