"""`ose serve` as a process, and what it uses."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import psutil


class Server:
    """A server on a free port of this machine, for the length of a block.

    Args:
        home: Its workspace.
        database: URL of its database.
        data_root: What jobs may name.
    """

    def __init__(self, home: Path, database: str, data_root: Path | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        home.mkdir(parents=True, exist_ok=True)
        root = [] if data_root is None else ["--data-root", str(data_root)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ose", "--home", str(home), "serve", "--port", str(self.port), *root],
            env={**os.environ, "OSE_DATABASE_URL": database},
            stderr=subprocess.DEVNULL,
        )
        self._observed = psutil.Process(self._process.pid)

    def __enter__(self) -> Self:
        while True:
            try:
                self.get("/readyz")
                return self
            except ConnectionRefusedError:
                if self._process.poll() is not None:
                    raise SystemExit("the server did not start") from None
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def get(self, path: str) -> bytes:
        """What is answered."""
        return self._ask("GET", path)

    def post(self, path: str, content: dict[str, Any]) -> bytes:
        """What is answered."""
        return self._ask("POST", path, json.dumps(content), {"Content-Type": "application/json"})

    def _ask(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {answer.decode()}")
        return answer

    def processor_s(self) -> float:
        """Time that the server's process has used."""
        used = self._observed.cpu_times()
        return used.user + used.system

    def memory_mb(self) -> float:
        """Memory of the server's process."""
        return float(self._observed.memory_info().rss / 2**20)
