"""An exported student: what was written, and what a service keeps of it for download."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ose.core.architecture import Architecture

MANIFEST = "ose_manifest.json"
"""The file of an export that tells where every number came from."""

OF_CROSS_ENCODERS = ("sentence_transformers", "sbert_ce_default_activation_function")
"""What sentence-transformers keeps in a configuration, now and before: whether scores are logits or their sigmoid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What was written.

    Attributes:
        folder: The directory.
        architecture: The student's.
        size_bytes: Of the weights file.
        max_logit_difference: Between the student and the export, loaded back by `transformers` alone.
    """

    folder: str
    architecture: Architecture
    size_bytes: int
    max_logit_difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """One file of an export.

    Attributes:
        name: Without a folder.
        size_bytes: Its size.
        sha256: Its digest, in hexadecimal digits; one who downloads it checks it.
    """

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A directory that plain `transformers` loads, as a coordinator wrote it.

    Attributes:
        id: Also the number of the distillation it came from: a distillation is exported once.
        folder: Where the files are, for the server alone.
        max_logit_difference: Between the student and the export, loaded back by `transformers` alone.
    """

    id: int
    job_id: str
    candidate_number: int
    architecture: Architecture
    folder: str
    files: tuple[ExportFile, ...]
    max_logit_difference: float
    created_at: datetime
