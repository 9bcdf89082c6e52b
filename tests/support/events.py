"""Read TensorBoard's event files, whose records are length, check sum, message, check sum."""

from __future__ import annotations

import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event


def read_curves(folder: Path) -> dict[str, dict[int, float]]:
    """The points of every curve in the folder's event files, by name and step."""
    curves: dict[str, dict[int, float]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            for value in event.summary.value:
                curves.setdefault(value.tag, {})[event.step] = value.simple_value
            content = content[16 + length :]
    return curves
