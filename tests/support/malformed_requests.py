"""Requests and job files that are wrong: valid ones with something changed, and nonsense."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ose.inputs.quickstart_job import teacher_folder

PREFIX = "/api/v1"
NONSENSE: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    10**400,
    0.5,
    -1e308,
    1e-300,
    "",
    " ",
    "x" * 3000,
    "\x00",
    "../../etc/passwd",
    "/etc/passwd",
    "~root",
    "nan",
    "\u202e",
    "\ud800",
    "é" * 300,
    "' OR 1=1 --",
    "{}",
    "hf:",
    "%s%n",
    "nothing/**",
    [],
    {},
    [[]],
    [None],
    {"": None},
    [1] * 300,
    {"start": 1, "stop": 2**60, "step": 1},
    {"__class__": "x"},
    "!!python/object:os.system",
]
_PATHS = [
    "/jobs",
    "/jobs/{}",
    "/jobs/{}/cost",
    "/jobs/{}/cancel",
    "/jobs/{}/resume",
    "/jobs/{}/leaderboard",
    "/jobs/{}/candidates/{}",
    "/jobs/{}/distillations",
    "/jobs/{}/distillations/{}",
    "/jobs/{}/exports",
    "/jobs/{}/exports/{}",
    "/jobs/{}/exports/{}/files/{}",
    "/spaces",
    "/spaces/{}",
    "/tokens/{}",
    "/{}",
]
_PIECES = [
    "nothing",
    "..",
    "%2e%2e%2f",
    "%00",
    "-1",
    "0",
    "99999999999999999999",
    "%ff%fe",
    "a" * 500,
    "%F0%9F%98%80",
    "x;y",
    "*",
    "%25s",
]
_NAMES = [
    "limit",
    "after",
    "order_by",
    "pareto",
    "max_latency_ms",
    "exponents",
    "formula",
    "format",
    "unknown",
    "sequence_length",
]
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
_TYPES = [
    "application/json",
    "application/x-yaml",
    "text/plain",
    "application/json; charset=utf-16",
    "",
    "multipart/form-data",
]

JOB = {
    "name": "wrong",
    "teacher": {"model": teacher_folder().name},
    "corpus": {"train": ["nothing/*.txt"], "sequence_length": 64},
    "space": "quickstart",
    "search": {"epsilon": 3, "steps": 5, "hyperparameters": [{"learning_rate": 5e-4, "batch_size": 8}]},
    "latency": {"threads": 1},
    "score": {"exponents": [1, 1, 1]},
    "limits": {"max_latency_ms": 10},
    "workers": {"count": 2},
    "distillation": {"steps": 10},
}
"""Valid but for its text, which is not there: that is looked for last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is sent."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def attempts(job: dict[str, Any], count: int, seed: int) -> Iterator[Attempt]:
    """As many wrong requests: one half are submissions of a job with something changed.

    Args:
        job: Valid but for its text, which is not there: that is looked for last.
        count: How many.
        seed: Of the draws.
    """
    draw = random.Random(seed)
    makers = (_submission, _submission, _broken_body, _anywhere)
    for number in range(count):
        yield makers[number % len(makers)](draw, job)


def _submission(draw: random.Random, job: dict[str, Any]) -> Attempt:
    content = mutated(draw, job)
    return Attempt(method="POST", path=f"{PREFIX}/jobs", body=_json(content), headers={"Content-Type": _TYPES[0]})


def _broken_body(draw: random.Random, job: dict[str, Any]) -> Attempt:
    body = bytearray(_json(job))
    for _ in range(draw.randint(1, 8)):
        where = draw.randrange(len(body))
        body[where : where + draw.randint(0, 5)] = draw.randbytes(draw.randint(0, 5))
    path = draw.choice(["/jobs", "/tokens", "/jobs/nothing/distillations"])
    body = draw.choice([bytes(body), b"[" * draw.randint(1, 5000), b"", bytes(body) * 2, draw.randbytes(50)])
    headers = {"Content-Type": draw.choice(_TYPES), "Idempotency-Key": draw.choice(["k", " ", "x" * 400])}
    return Attempt(method="POST", path=PREFIX + path, body=body, headers=headers)


def _anywhere(draw: random.Random, job: dict[str, Any]) -> Attempt:
    path = PREFIX + draw.choice(_PATHS)
    while "{}" in path:
        path = path.replace("{}", draw.choice(_PIECES), 1)
    query = "&".join(f"{draw.choice(_NAMES)}={draw.choice(_PIECES)}" for _ in range(draw.randint(0, 3)))
    headers = {"Content-Type": draw.choice(_TYPES), "Last-Event-ID": draw.choice(["x", "\\xe9", "1" * 600])}
    return Attempt(
        method=draw.choice(_METHODS), path=f"{path}?{query}", body=draw.choice([b"", b"{}"]), headers=headers
    )


def mutated(draw: random.Random, content: dict[str, Any]) -> dict[str, Any]:
    """A copy with values replaced, and keys taken out, put in or misspelt."""
    changed = copy.deepcopy(content)
    changed["name"] = copy.deepcopy(draw.choice(["wrong", *NONSENSE]))
    for _ in range(draw.randint(1, 3)):
        place = _some_mapping(draw, changed)
        key = draw.choice([*place, "unknown"])
        kind = draw.randrange(4)
        if kind == 0:
            place.pop(key, None)
        elif kind == 1:
            place[key + draw.choice("xé_ ")] = place.get(key)
        else:
            place[key] = copy.deepcopy(draw.choice(NONSENSE))  # which a later change may be made in
    return changed


def _some_mapping(draw: random.Random, content: dict[str, Any]) -> dict[str, Any]:
    inner = [value for value in content.values() if isinstance(value, dict) and value]
    return draw.choice([content, *inner, *inner])


def _json(content: Any) -> bytes:
    return json.dumps(content).encode("utf8", "surrogatepass")
