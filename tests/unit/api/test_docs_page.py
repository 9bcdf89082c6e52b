"""The page of documentation is whole without any other server, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import re


def test_the_page_takes_everything_from_this_server(client):
    page = client.get("/docs").text
    places = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(places) == 3 and all(place.startswith("/docs/") for place in places)
    assert "'/openapi.json'" in page and client.get("/openapi.json").json()["openapi"].startswith("3.")
    for place in places:
        answer = client.get(place)
        assert answer.status_code == 200 and len(answer.content) > 1_000
        assert not re.search(rb"(url\(|@import )['\"]?https?:", answer.content)
    assert client.get("/docs/redoc.standalone.js").status_code == 404


def test_a_browser_runs_the_scripts_of_the_page_and_no_others(client):
    answer = client.get("/docs")
    [inline] = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'"
    assert "script-src" not in client.get("/healthz").headers["Content-Security-Policy"]
