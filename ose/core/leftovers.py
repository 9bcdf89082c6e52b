"""What a deleted job leaves behind: files that go once no other job has a use for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Files of a deleted job.

    Attributes:
        name: Where they lie below the artifacts; those that are the job's alone by a pattern.
        teacher: Digest of the teacher whose jobs may share them; None if no other job can.
        since: When the last job that had a use for them was deleted.
    """

    name: str
    teacher: str | None
    since: datetime
