"""What a shared service takes: pages of a large leaderboard, recording, submitting, memory; on both databases.

    python benchmarks/service/service.py --output results/service_cpu2_2026-11-21

Real processes over loopback: `ose serve`, clients of which each is a process with one connection, writers with a store each.
Pages come from a job of 100,000 candidates. Clients ask again as soon as they are answered, which no reader does,
and share the processor's cores with the server; so what the server's own process used for a request stands beside the times.
PostgreSQL keeps its defaults here, and so has every commit on the disk before it is acknowledged.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.service.service_clients import Answer, ask_together, percentile, times_ms
from benchmarks.service.service_data import fill
from benchmarks.service.service_memory import memory_figures
from benchmarks.service.service_server import Server
from benchmarks.service.service_writers import recording_figures
from benchmarks.shared.small_job import conditions, job_content, write_report
from ose.store.database import open_store

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

BOARD = "/api/v1/jobs/large/leaderboard"
ORDERS = ("score", "loss", "latency", "parameters", "candidate")
PAGES = {
    "first page": [BOARD],
    "every order": [f"{BOARD}?order_by={order}" for order in ORDERS],
    "limits": [f"{BOARD}?max_latency_ms={most}&order_by={order}" for most in (10, 20) for order in ORDERS[:3]],
    "Pareto front": [f"{BOARD}?pareto=true&order_by={order}" for order in ORDERS[:3]],
    "another rule": [f"{BOARD}?exponents=1,1,2", f"{BOARD}?formula=excess"],
}
TARGETS = {"page_ms": 50, "body_bytes": 50_000, "rows_per_s": 200, "submit_ms": 300}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=200, help="of each client, for each kind of page")
    parser.add_argument("--rows", type=int, default=1000, help="recorded by each of four writers")
    parser.add_argument("--submissions", type=int, default=30)
    parser.add_argument("--memory-candidates", type=int, default=10_000)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    return parser.parse_args()


def deep_pages(server: Server, count: int) -> list[str]:
    """Pages one after the other, of which none is asked for twice soon."""
    paths, following = [], None
    for number in range(count):
        page = json.loads(server.get(BOARD + (f"?after={following}" if following else "")))
        following = page["next"]
        paths.append(f"{BOARD}?after={following}&limit={30 + number % 21}")
    return paths


def page_figures(server: Server, arguments: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    kinds = {**PAGES, "each page another": deep_pages(server, 8 * arguments.clients)}
    for kind, paths in kinds.items():
        first_s = [_seconds(server, path) for path in paths[:8]]
        used_s, began = server.processor_s(), time.perf_counter()
        answers = ask_together(server.port, paths, arguments.clients, arguments.requests)
        wall_s = time.perf_counter() - began
        _require_success(answers)
        figures[kind] = {
            **times_ms(answers),
            "per_s": round(len(answers) / wall_s),
            "server_ms_per_request": round(1000 * (server.processor_s() - used_s) / len(answers), 2),
            "slowest_first_ms": round(1000 * max(first_s)),
        }
    calm = ask_together(server.port, PAGES["every order"], arguments.clients, arguments.requests // 4, pause_s=0.25)
    figures["every order, a quarter second between questions"] = times_ms(calm)
    return figures


def _seconds(server: Server, path: str) -> float:
    began = time.perf_counter()
    server.get(path)
    return time.perf_counter() - began


def _require_success(answers: list[Answer]) -> None:
    if wrong := {answer.status for answer in answers} - {200}:
        raise SystemExit(f"answers of status {wrong}")


def submission_figures(server: Server, data_root: Path, count: int) -> dict[str, Any]:
    """A job of the `bort` space's 300 members, checked and stored, each a new one."""
    content = job_content(data_root)
    content |= {"space": "bort", "teacher": {"model": "teacher"}}
    content["search"] |= {"initialization": "random"}
    content["corpus"] = json.loads(json.dumps(content["corpus"]).replace(f"{data_root.absolute()}/", ""))
    seconds = []
    for number in range(count):
        began = time.perf_counter()
        server.post("/api/v1/jobs", {**content, "name": f"job {number}"})
        seconds.append(time.perf_counter() - began)
    figures = {f"p{percent}_ms": round(1000 * percentile(seconds, percent), 1) for percent in (50, 90, 99)}
    return {"submissions": count, "first_ms": round(1000 * seconds[0], 1), **figures}


def database_figures(url: str, home: Path, data_root: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    store = open_store(url)
    fill(store, "large", arguments.candidates)
    store.close()
    with Server(home, url, data_root) as server:
        pages = page_figures(server, arguments)
        submissions = submission_figures(server, data_root, arguments.submissions)
    return {
        "pages": pages,
        "submissions": submissions,
        "recording": recording_figures(url, arguments.rows),
        "memory": memory_figures(url, home, arguments.memory_candidates),
    }


def figures_of(arguments: argparse.Namespace) -> dict[str, Any]:
    from postgres import _SETTINGS, find_postgres, postgres_server

    for name in ("fsync", "synchronous_commit", "full_page_writes", "wal_level", "max_wal_senders", "autovacuum"):
        _SETTINGS.pop(name, None)
    found = {}
    for kind in arguments.databases:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ose-service-")))
            data_root = folder / "data"
            link_teacher(data_root)
            url = f"sqlite:///{folder}/ose.db"
            if kind == "postgresql":
                programs = find_postgres()
                if programs is None:
                    raise SystemExit("there is no PostgreSQL here; leave it out with --databases sqlite")
                url = stack.enter_context(stack.enter_context(postgres_server(programs)).database())
            found[kind] = database_figures(url, folder / "home", data_root, arguments)
            print(json.dumps(found[kind], indent=1), file=sys.stderr)
    return found


def link_teacher(data_root: Path) -> None:
    """The quickstart's teacher where jobs may name it."""
    import shutil

    from ose.inputs.quickstart_job import teacher_folder

    shutil.copytree(teacher_folder(), data_root / "teacher")


def report(figures: dict[str, Any], arguments: argparse.Namespace) -> str:
    lines = [
        "# What a shared service takes",
        "",
        f"{arguments.candidates:,} candidates, {arguments.clients} clients that ask without pause; {conditions()}.",
        "",
    ]
    for database, found in figures.items():
        lines += [f"## {database}", "", *_page_lines(found["pages"]), "", *_other_lines(found), ""]
    return "\n".join(lines)


def _page_lines(pages: dict[str, Any]) -> list[str]:
    head = "| pages | p50 ms | p90 ms | p99 ms | a second | server's processor ms | body, kB | slowest when first asked for, ms |"
    rows = [
        f"| {kind} | {found['p50_ms']} | {found['p90_ms']} | {found['p99_ms']} | {found.get('per_s', '')} | "
        f"{found.get('server_ms_per_request', '')} | {found['body_bytes'] / 1000:.1f} | {found.get('slowest_first_ms', '')} |"
        for kind, found in pages.items()
    ]
    return [head, "| --- " * 8 + "|", *rows]


def _other_lines(found: dict[str, Any]) -> list[str]:
    recording, submissions, memory = found["recording"], found["submissions"], found["memory"]
    lines = ["| what | figure | target |", "| --- | --- | --- |"]
    for writers, each in recording.items():
        lines.append(
            f"| results recorded, {writers} | {each['rows_per_s']} a second, the slowest in {each['slowest_ms']} ms, "
            f"{each['processor_ms_per_row']} ms of the writer's processor each | {TARGETS['rows_per_s']} |"
        )
    lines.append(
        f"| a job of 300 candidates submitted | p50 {submissions['p50_ms']} ms, p99 {submissions['p99_ms']} ms | "
        f"{TARGETS['submit_ms']} ms |"
    )
    for who, each in memory.items():
        lines.append(f"| memory of the {who} | {each['text']} | flat |")
    return lines


def main() -> None:
    arguments = parse_arguments()
    figures = figures_of(arguments)
    command = " ".join(["python", f"benchmarks/service/{Path(__file__).name}", *sys.argv[1:]])
    content = {"command": command, "targets": TARGETS, "databases": figures}
    write_report(arguments.output, "service", content, report(figures, arguments))


if __name__ == "__main__":
    main()
