"""A model hub on loopback, with what its client asks for: sizes, trees and files. Its sizes may be lies."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Has one repository, whatever it is called.

    Attributes:
        folder: Its files.
        told: Sizes that it tells instead of the true ones; None tells none.
        fetched: Names of the files that were asked for.
    """

    def __init__(self, folder: Path, told: Mapping[str, int | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.told = folder, dict(told)
        self.fetched: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def sizes(self) -> dict[str, int | None]:
        return {file.name: file.stat().st_size for file in self.folder.iterdir()} | self.told


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        parts = urlparse(self.path).path.strip("/").split("/")
        if parts[0] == "api":
            self._send(json.dumps(self._metadata("tree" in parts)).encode(), with_body)
            return
        name = parts[-1]
        self.server.fetched.append(name)
        self._send((self.server.folder / name).read_bytes(), with_body)

    def _metadata(self, as_tree: bool) -> Any:
        sizes = self.server.sizes()
        if as_tree:
            return [{"type": "file", "path": name, "size": size or 0, "oid": name} for name, size in sizes.items()]
        siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]
        return {"id": "owner/model", "modelId": "owner/model", "sha": COMMIT, "siblings": siblings}

    def _send(self, body: bytes, with_body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def model_hub(folder: Path, told: Mapping[str, int | None] | None = None) -> Iterator[Hub]:
    """Serve a folder as the one repository of a hub until the block ends."""
    with Hub(folder, told or {}) as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
