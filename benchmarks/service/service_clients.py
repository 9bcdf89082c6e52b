"""Clients that ask a server over and over, each a process of its own with one connection kept open."""

from __future__ import annotations

import http.client
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer.

    Attributes:
        seconds: From the request's first byte to the answer's last.
    """

    path: str
    status: int
    seconds: float
    size_bytes: int


def ask_together(
    port: int, paths: Sequence[str], num_clients: int, num_requests: int, pause_s: float = 0.0
) -> list[Answer]:
    """Have clients ask for the paths in turn, each beginning with another one.

    Args:
        port: Of the server on this machine.
        paths: What is asked for.
        num_clients: Processes.
        num_requests: Of each.
        pause_s: Between an answer and the client's next question; none is as hard as it gets.
    """
    jobs = [(port, list(paths[index:]) + list(paths[:index]), num_requests, pause_s) for index in range(num_clients)]
    with multiprocessing.get_context("fork").Pool(num_clients) as pool:
        return [answer for answers in pool.starmap(_ask, jobs, chunksize=1) for answer in answers]


def _ask(port: int, paths: Sequence[str], num_requests: int, pause_s: float) -> list[Answer]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    answers = []
    for path in islice(cycle(paths), num_requests):
        began = time.perf_counter()
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - began
        answers.append(Answer(path=path, status=response.status, seconds=seconds, size_bytes=len(body)))
        time.sleep(pause_s)
    connection.close()
    return answers


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def times_ms(answers: Sequence[Answer]) -> dict[str, Any]:
    """What people want to know of some answers."""
    seconds = [answer.seconds for answer in answers]
    figures = {f"p{percent}_ms": round(1000 * percentile(seconds, percent), 1) for percent in (50, 90, 99)}
    return {"requests": len(answers), **figures, "body_bytes": max(answer.size_bytes for answer in answers)}
