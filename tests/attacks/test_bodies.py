"""Bodies of any size: the limit holds whatever a request says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from services import serving

from ose.api.dependencies import ServerOptions
from ose.workspace import Workspace


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with Workspace(tmp_path / "home") as workspace, serving(workspace, ServerOptions()) as url:
        yield url


@pytest.mark.attack(door="bodies", fault="a body above the limit is read", how="as found")
def test_an_announced_length_is_refused_before_it_comes(url: str) -> None:
    answer = httpx2.post(f"{url}/api/v1/jobs", content=b"x" * 1_000_001, timeout=20)
    assert answer.status_code == 413 and "OSE_MAX_BODY_BYTES" in answer.json()["detail"]


@pytest.mark.attack(door="bodies", fault="a body above the limit is read", how="in chunks, of no announced length")
def test_a_stream_is_cut_at_the_limit(url: str) -> None:
    chunks = (b"x" * 100_000 for _ in range(20))
    answer = httpx2.post(f"{url}/api/v1/jobs", content=chunks, headers={"Content-Type": "application/json"}, timeout=20)
    assert answer.status_code == 413
