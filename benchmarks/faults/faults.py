"""A deployment that is struck again and again, and what it makes of it.

    python benchmarks/faults/faults.py --output results/faults

PostgreSQL, a Ray head, two Ray nodes, the API and two coordinators run on machines of their own (network namespaces, so
it needs Linux and root; see tests/support/cluster.py). Search after search of 48 tiny candidates is submitted over HTTP,
and each is struck every few seconds; when it has ended, one of its students is distilled, which is struck too. What is
struck, and when, follows from the seed. The same command goes on where it stopped.

A strike is recovered from when the next result is stored, and as many workers are back as there were; for the API when it
answers, for a distillation when it has a newer checkpoint. After each search it is checked that every candidate has exactly
one scored trial, that the job has SUCCEEDED, and that no temporary file, worker or other process is left. The report is
faults.csv, a row for each strike, and faults.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

from cluster import Cluster, cluster  # noqa: E402
from damage import SEARCH, SEARCH_FAULTS, assert_whole, leftovers, num_scored, search_workers  # noqa: E402
from machines import why_no_machines  # noqa: E402
from materials import put_materials  # noqa: E402
from processes import eventually  # noqa: E402
from student_damage import fill_disk, kill_distillation  # noqa: E402

from benchmarks.shared.small_job import conditions  # noqa: E402
from benchmarks.shared.tables import read_csv, write_csv  # noqa: E402
from ose.errors import StoreError  # noqa: E402
from ose.store.base import Store  # noqa: E402
from ose.store.database import open_store  # noqa: E402

STUDENT_FAULTS = {"distillation": kill_distillation, "disk": fill_disk}
SEED = 20261121
RECOVERY_S = 300.0
PAUSE_S = (1.0, 6.0)
KILLS = {"worker", "node", "coordinator", "api", "database", "distillation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A row of faults.csv.

    Attributes:
        scored_before: Candidates of the job that had been scored.
        recovered_s: From the strike, which includes the time that something was kept down.
        candidates: Of the job, each with exactly one scored trial in the end.
        checked: What was found wrong afterwards; `ok` if nothing was.
    """

    number: int
    kind: str
    job: str
    scored_before: int
    recovered_s: float
    candidates: int = 0
    checked: str = ""


class Series:
    """The strikes so far, on disk."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.strikes: list[Strike] = []
        if file.exists():
            self.strikes = [_strike(row) for row in read_csv(file)]

    def add(self, strikes: list[Strike]) -> None:
        """Keep these, too; there are none of a search that ended before it was struck."""
        self.strikes += strikes
        if self.strikes:
            write_csv(self._file, [asdict(each) for each in self.strikes])

    @property
    def num_kills(self) -> int:
        """How many processes or machines were killed."""
        return sum(each.kind in KILLS for each in self.strikes)


def _strike(row: dict[str, str]) -> Strike:
    numbers = {name: int(row[name]) for name in ("number", "scored_before", "candidates")}
    return Strike(**{**row, **numbers, "recovered_s": float(row["recovered_s"])})  # type: ignore[arg-type]


def strike_search(place: Cluster, store: Store, dice: Random, number: int, job_id: str) -> Strike:
    """Strike a running search in a way that the dice choose, and wait until it goes on."""
    kind = dice.choices(list(SEARCH_FAULTS), [fault.share for fault in SEARCH_FAULTS.values()])[0]
    before, workers = num_scored(store, job_id), len(search_workers(place))

    def goes_on() -> bool:
        with suppress(StoreError):
            is_over = store.job(job_id).status.is_terminal
            return is_over or (num_scored(store, job_id) > before and len(search_workers(place)) >= workers)
        return False

    def strike() -> None:
        SEARCH_FAULTS[kind].strike(place, dice)
        assert kind == "api" or eventually(goes_on, RECOVERY_S), f"nothing went on for {RECOVERY_S:.0f} s"

    start = time.monotonic()
    found = problem(strike)
    took_s = round(time.monotonic() - start, 1)
    checked = "" if found == "ok" else found
    return Strike(number=number, kind=kind, job=job_id, scored_before=before, recovered_s=took_s, checked=checked)


def struck_search(place: Cluster, store: Store, first: int, seed: int) -> list[Strike]:
    """One search from its submission to its end."""
    with place.client() as remote:
        job = remote.submit({**SEARCH, "search": {**SEARCH["search"], "seed": first}})
    strikes: list[Strike] = []
    while True:
        dice = Random(f"{seed}-{first + len(strikes)}")
        time.sleep(dice.uniform(*PAUSE_S))
        if store.job(job.id).status.is_terminal:
            break
        strikes.append(strike_search(place, store, dice, first + len(strikes), job.id))
        print(strikes[-1], flush=True)
        if strikes[-1].checked:
            store.cancel_job(job.id, store.now())
    count = sum(store.count_candidates(job.id).values())
    checked = problem(lambda: assert_whole(place, store, job.id))
    return [replace(strike, candidates=count, checked=strike.checked or checked) for strike in strikes]


def struck_students(place: Cluster, first: int, seed: int, job_id: str, count: int) -> list[Strike]:
    """Two distillations of a job: the coordinator of one is killed, the disk of the other is full for a while."""
    dice = Random(f"{seed}-{first}")
    candidates = dice.sample(range(1, count + 1), len(STUDENT_FAULTS))
    strikes = []
    for number, (kind, strike) in enumerate(STUDENT_FAULTS.items(), start=first):
        took: list[float] = []
        checked = problem(partial(_strike_student, strike, place, dice, job_id, candidates.pop(), took))
        made = Strike(
            number=number, kind=kind, job=job_id, scored_before=count, recovered_s=round(sum(took), 1), checked=checked
        )
        print(made, flush=True)
        strikes.append(made)
    return strikes


def _strike_student(strike: Any, place: Cluster, dice: Random, job_id: str, candidate: int, took: list[float]) -> None:
    took.append(strike(place, dice, job_id, candidate))
    assert eventually(lambda: not leftovers(place), RECOVERY_S), leftovers(place)


def problem(check: Callable[[], None]) -> str:
    """What a check finds wrong, in a line; `ok` if nothing."""
    try:
        check()
    except AssertionError as error:
        return " ".join(str(error).split())[:300] or "failed"
    return "ok"


def write_report(series: Series, arguments: argparse.Namespace) -> None:
    strikes = series.strikes
    kinds = sorted({each.kind for each in strikes})
    lines = [
        "# A deployment that is struck again and again",
        "",
        f"`python benchmarks/faults/faults.py --kills {arguments.kills} --seed {arguments.seed} --output {arguments.output}`",
        "",
        conditions() + ".",
        "",
        f"{len(strikes)} strikes, {series.num_kills} of them kills. A strike is recovered from when the next result is stored and as",
        "many workers are back as there were; the database is kept down for 5 s, the network for 20 s.",
        "",
        "| kind | strikes | recovered, p50 s | recovered, max s | found wrong |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in kinds:
        mine = [each for each in strikes if each.kind == kind]
        times = [each.recovered_s for each in mine]
        wrong = sum(each.checked != "ok" for each in mine)
        lines.append(f"| {kind} | {len(mine)} | {median(times):.1f} | {max(times):.1f} | {wrong} |")
    jobs = {each.job: each.candidates for each in strikes if each.candidates}
    lines += [
        "",
        f"{len(jobs)} searches, {sum(jobs.values())} candidates. Checked after each search: the job has SUCCEEDED, each candidate has",
        "exactly one scored trial and none that still runs, no temporary file, no worker and no other process is left.",
        "",
        *[f"- {each.kind} {each.number}: {each.checked}" for each in strikes if each.checked != "ok"],
    ]
    (arguments.output / "faults.md").write_text("\n".join(lines).rstrip() + "\n")


def run(series: Series, arguments: argparse.Namespace) -> None:
    with cluster() as place, closing(open_store(place.store_url)) as store:
        put_materials(place)
        for _ in range(2):
            place.start_coordinator()
        while series.num_kills < arguments.kills:
            struck = struck_search(place, store, len(series.strikes), arguments.seed)
            series.add(struck)
            if struck and struck[-1].checked == "ok":
                series.add(
                    struck_students(place, len(series.strikes), arguments.seed, struck[-1].job, struck[-1].candidates)
                )
            write_report(series, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the report")
    parser.add_argument("--kills", type=int, default=100, help="how many there are to be")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    if reason := why_no_machines():
        sys.exit(f"this benchmark needs network namespaces: {reason}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    run(Series(arguments.output / "faults.csv"), arguments)


if __name__ == "__main__":
    main()
