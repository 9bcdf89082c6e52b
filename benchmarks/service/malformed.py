"""Ten thousand wrong requests and as many wrong job files; and schemathesis, if it is installed, on the OpenAPI document.

    python benchmarks/service/malformed.py --output results/malformed

The requests go over HTTP to a real `ose serve`. None may be answered with a 5xx or a traceback, and nothing may be written.
"""

from __future__ import annotations

import argparse
import http.client
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.service.service_server import Server
from benchmarks.shared.small_job import conditions, job_content, run_job, write_report
from ose.errors import InvalidInputError
from ose.inputs.job_file import parse_job
from ose.inputs.quickstart_job import teacher_folder

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from malformed_requests import JOB, Attempt, attempts, mutated  # noqa: E402


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10_000, help="requests, and job files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=50, help="of schemathesis, for each operation")
    return parser.parse_args()


def request_figures(server: Server, count: int, seed: int) -> dict[str, Any]:
    statuses: Counter[int] = Counter()
    before = _stored(server)
    for attempt in attempts(JOB, count, seed):
        status, text = _send(server.port, attempt)
        statuses[status] += 1
        if status >= 500 or status in (201, 202) or b"Traceback" in text:
            raise SystemExit(f"{attempt}\nwas answered {status}: {text.decode(errors='replace')}")
    if _stored(server) != before:
        raise SystemExit("something was written")
    return {"requests": count, "statuses": dict(sorted(statuses.items()))}


def _stored(server: Server) -> tuple[bytes, bytes]:
    return server.get("/api/v1/jobs"), server.get("/api/v1/tokens")


def _send(port: int, attempt: Attempt) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(attempt.method, attempt.path, attempt.body, attempt.headers)
    response = connection.getresponse()
    text = response.read(100_000)
    connection.close()
    return response.status, text


def job_file_figures(count: int, seed: int) -> dict[str, Any]:
    """Every one is refused in one line, or is a job after all: a change may be harmless."""
    draw, outcomes = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            try:
                parse_job(mutated(draw, JOB), Path(folder))
                outcomes["accepted"] += 1
            except InvalidInputError as error:
                if "\n" in str(error):
                    raise SystemExit(f"more than a line: {error}") from error
                outcomes[error.code] += 1
        if any(Path(folder).iterdir()):
            raise SystemExit("something was written")
    return {"job_files": count, "outcomes": dict(outcomes)}


def schemathesis_figures(server: Server, examples: int, seed: int, job_id: str | None = None) -> dict[str, Any]:
    """Whatever the document of the API allows to be asked, of any job or of one that is there."""
    configuration = Path(__file__).with_name("schemathesis.toml").read_text(encoding="utf8")
    if job_id is not None:
        configuration += f'[parameters]\n"path.job_id" = "{job_id}"\n"path.number" = 1\n'
    url = f"http://127.0.0.1:{server.port}/openapi.json"
    options = ["run", url, "--checks", "all", "--max-examples", str(examples), "--seed", str(seed), "--no-color"]
    if job_id is not None:  # which stands in the place of the wrong ones, too: they were sent to any job
        options += ["--exclude-checks", "negative_data_rejection"]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", *options]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "schemathesis.toml").write_text(configuration, encoding="utf8")
        ended = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if "No module named" in ended.stderr:
        return {"outcome": "not installed: pip install schemathesis"}
    lines = [line.strip() for line in ended.stdout.splitlines() if line.strip()]
    cases = next((line for line in lines if " generated, " in line), "")
    return {"outcome": "no failure" if ended.returncode == 0 else "failures", "cases": cases, "text": ended.stdout}


def report(figures: dict[str, Any]) -> str:
    lines = [
        "# Wrong requests and wrong job files",
        "",
        f"{conditions()}.",
        "",
        "| what | figure | target |",
        "| --- | --- | --- |",
    ]
    requests, files, schema = figures["requests"], figures["job_files"], figures["schemathesis"]
    lines.append(
        f"| wrong requests | {requests['requests']:,}; by status {requests['statuses']} | no 5xx, nothing written |"
    )
    lines.append(f"| wrong job files | {files['job_files']:,}; {files['outcomes']} | one line each |")
    for of, found in schema.items():
        lines.append(f"| schemathesis, all checks, {of} | {found['outcome']}; {found.get('cases', '')} | no failure |")
    return "\n".join([*lines, ""])


def main() -> None:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="ose-malformed-") as folder:
        home = Path(folder) / "home"
        with Server(home, f"sqlite:///{folder}/ose.db", teacher_folder().parent) as server:
            requests = request_figures(server, arguments.count, arguments.seed)
            files = job_file_figures(arguments.count, arguments.seed)
            schema = {"any job": schemathesis_figures(server, arguments.examples, arguments.seed)}
        home = Path(folder) / "another"  # a token was asked of the first one, which its home remembers
        job = run_job(home, job_content(home, search={"epsilon": 20, "steps": 2}))
        with Server(home, f"sqlite:///{home}/ose.db", teacher_folder().parent) as server:
            schema["a finished job"] = schemathesis_figures(server, arguments.examples, arguments.seed, job.job_id)
    figures = {"requests": requests, "job_files": files, "schemathesis": schema}
    write_report(arguments.output, "malformed", figures, report(figures))
    if failed := [found["text"] for found in schema.values() if found["outcome"] == "failures"]:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
