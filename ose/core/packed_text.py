"""Name a job's whole training text, which all distillations of it share."""

from __future__ import annotations

import hashlib
import json

from ose.core.job import Job


def packed_text_key(job: Job) -> str:
    """Whatever decides the sequences."""
    spec = job.spec.corpus
    content = [job.teacher.digest, job.corpus.digest, spec.sequence_length, spec.text_field, spec.max_tokens]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]
