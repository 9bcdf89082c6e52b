"""Where a teacher comes from, as far as a model card may say so: its name on the hub, and its licence."""

from __future__ import annotations

import re
from pathlib import Path

from ose.core.hub_names import is_repository
from ose.core.job import Job
from ose.errors import TeacherError
from ose.tasks.teacher_folder import TeacherFolder

_CARD, _MOST_BYTES = "README.md", 100_000
_FRONT_MATTER = re.compile(r"---\r?\n(?P<yaml>.*?)\n---", re.DOTALL)
_LICENCE = re.compile(r"^license:[ \t]*[\"']?(?P<id>[a-z0-9][a-z0-9.+-]{0,39})[\"']?[ \t\r]*$", re.MULTILINE)
"""As the hub has them: `apache-2.0`, `mit`."""


def base_model_of(job: Job) -> str | None:
    """The teacher's id on the hub; None of a directory."""
    name = job.spec.teacher.model
    is_cached = f"models--{name.replace('/', '--')}" in Path(job.teacher.path).parts
    return name if is_repository(name) and is_cached else None


def licence_of(job: Job) -> str | None:
    """The licence that the card beside the teacher's weights names; None if there is no card, or it names none."""
    root = None if job.corpus.root is None else Path(job.corpus.root)
    try:
        with TeacherFolder(Path(job.teacher.path), root).open(_CARD) as card:
            text = card.read(_MOST_BYTES).decode("utf8", errors="replace")
    except (OSError, TeacherError):
        return None
    front = _FRONT_MATTER.match(text)
    found = front and _LICENCE.search(front["yaml"])
    return found["id"] if found else None
