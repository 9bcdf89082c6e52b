"""Name a job's text: what of it decides the files that are made of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath
from typing import Any

from ose.core.job import Job


def packed_text_key(job: Job) -> str:
    """Names a job's whole training text, which all distillations of it share."""
    content = [job.teacher.digest, job.corpus.digest, *text_parts(job)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


def general_text_key(job: Job) -> str:
    """Names a job's text without labels, packed."""
    return hashlib.sha256(f"general {packed_text_key(job)}".encode()).hexdigest()[:24]


def text_parts(job: Job) -> list[Any]:
    """What decides a job's text beside its files.

    Of a job that names a column of texts alone it is what it was before there were others, so that files of before are
    found. Whether bad rows may be left out decides nothing: a job that is not refused leaves out all of them.
    """
    spec = job.spec.corpus
    others = {name: column for name, column in spec.columns.named().items() if name != "text"}
    quotes = {} if spec.quotes == "auto" else {"quotes": spec.quotes}
    tables = {"tables": True} if job.corpus.tables else {}
    spelling = {"capital_suffixes": True} if any(map(_has_capital_suffix, _sources(job))) else {}
    more = {**others, **quotes, **tables, **spelling}
    return [spec.sequence_length, spec.columns.text, spec.max_tokens, *([more] if more else [])]


def _sources(job: Job) -> tuple[str, ...]:
    return (*job.corpus.train, *job.corpus.validation, *job.corpus.general)


def _has_capital_suffix(source: str) -> bool:
    """What `DATA.JSONL` holds was once taken for lines of text: what was made of it is no text of today's."""
    suffixes = "".join(PurePath(source).suffixes[-2:])
    return suffixes != suffixes.lower()
