"""Memory of a coordinator and of a server that is asked for pages all the while, over a whole search."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.service.service_server import Server

_EVERY_S = 0.05


def memory_figures(url: str, home: Path, num_candidates: int) -> dict[str, Any]:
    """Both, from the hundredth candidate on; the coordinator's workers are simulated."""
    with tempfile.TemporaryDirectory(prefix="ose-memory-") as folder, Server(home, url) as server:
        command = ["--candidates", str(num_candidates), "--workers", "100", "--database", url, "--output", folder]
        file = Path(__file__).with_name("simulated_cluster.py")
        search = subprocess.Popen([sys.executable, str(file), *command], stdout=subprocess.DEVNULL)
        samples: list[tuple[int, float]] = []
        while search.poll() is None:
            if (ended := _num_ended(server)) is not None:
                samples.append((ended, server.memory_mb()))
            time.sleep(_EVERY_S)
        if search.returncode:
            raise SystemExit("the simulated search failed")
        content = json.loads((Path(folder) / "simulated_cluster.json").read_text(encoding="utf8"))
    own = [(int(each["ended"]), each["rss_mb"]) for each in content["memory"]]
    return {"coordinator": _growth(own), "API server": _growth(samples)}


def _num_ended(server: Server) -> int | None:
    """As the last of some pages says; the job may not be there yet."""
    jobs = json.loads(server.get("/api/v1/jobs?limit=100"))["jobs"]
    counts = next((job["candidates"] for job in jobs if job["id"] == "simulated"), None)
    if not counts:
        return None
    server.get("/api/v1/jobs/simulated/leaderboard")
    server.get("/api/v1/jobs/simulated/leaderboard?pareto=true")
    return sum(count for status, count in counts.items() if status in ("SUCCEEDED", "FAILED", "REJECTED"))


def _growth(samples: list[tuple[int, float]]) -> dict[str, Any]:
    """What a straight line through the second half says: by then, all is loaded that will be."""
    late = samples[len(samples) // 2 :]
    mean_x = sum(ended for ended, _ in late) / len(late)
    mean_y = sum(megabytes for _, megabytes in late) / len(late)
    spread = sum((ended - mean_x) ** 2 for ended, _ in late)
    slope = sum((ended - mean_x) * (megabytes - mean_y) for ended, megabytes in late) / spread if spread else 0.0
    first, last = samples[0], samples[-1]
    text = f"{first[1]:.0f} MB at {first[0]:,} candidates, {last[1]:.0f} MB at {last[0]:,}; at last {1000 * slope:+.2f} MB per 1,000"
    return {"text": text, "mb_per_thousand": round(1000 * slope, 3), "samples": samples[:: max(1, len(samples) // 200)]}
