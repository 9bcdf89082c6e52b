"""What a search's folder says of the teacher: read back as it was written, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ose.artifacts.intact import is_intact
from ose.core.measurement import Metric, TeacherCheck, TeacherQuality


def read_quality(file: Path) -> TeacherQuality | None:
    """The stored quality of a teacher; None where there is none, or an OSE wrote it that checked other things."""
    if not is_intact(file):
        return None
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf8"))
    if not content.get("checks") or not content.get("sequence_entropies_nats"):
        return None
    metrics = {name: Metric(**each) for name, each in content.pop("metrics").items()}
    checks = tuple(TeacherCheck(**each) for each in content.pop("checks"))
    listed: dict[str, Any] = {name: tuple(content.pop(name)) for name in ("sequence_entropies_nats", "doubts")}
    return TeacherQuality(**content, metrics=metrics, checks=checks, **listed)
