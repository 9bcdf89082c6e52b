"""What outsiders tried to open, stop or fill up, tried again: on real servers, coordinators and jobs of this machine.

    python benchmarks/attacks/attacks.py --output results/attacks [--door paths]

Each attack is a test in `tests/attacks` that names the door, the fault as it was found, and what it tries. This runs all of
them, those included that are too heavy for `make test`, and writes what was tried and what held. Every attack is bounded in
count and time and goes to loopback alone. A run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from benchmarks.shared.small_job import conditions, write_report

ATTACKS = Path(__file__).parents[2] / "tests" / "attacks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One attack: the door it tried, the fault, what was tried (`as found`, or how it differs), and how it ended."""

    door: str
    fault: str
    how: str
    test: str
    ended: str
    seconds: float


class Recorder:
    """A pytest plugin that keeps what the attacks' marks say, and how each ended, a line in `file` for each."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._marks: dict[str, tuple[str, str, str]] = {}

    @property
    def outcomes(self) -> list[Outcome]:
        """The last of each attack, this run's and those of earlier ones."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return list({outcome.test: outcome for outcome in (Outcome(**json.loads(line)) for line in lines)}.values())

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note what each attack says of itself, and leave out those that have held; tests without a mark are none."""
        held = {outcome.test for outcome in self.outcomes if outcome.ended == "held"}
        items[:] = [item for item in items if item.nodeid not in held]
        for item in items:
            if mark := item.get_closest_marker("attack"):
                self._marks[item.nodeid] = mark.kwargs["door"], mark.kwargs["fault"], mark.kwargs["how"]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a call, or of a set-up that kept it from being made."""
        if report.nodeid in self._marks and (report.when == "call" or report.outcome != "passed"):
            door, fault, how = self._marks[report.nodeid]
            ended = {"passed": "held", "failed": "DID NOT HOLD", "skipped": "not tried"}[report.outcome]
            test = report.nodeid.partition("@")[0]
            outcome = Outcome(
                door=door, fault=fault, how=how, test=test, ended=ended, seconds=round(report.duration, 2)
            )
            with self._file.open("a") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")


def attack(folder: Path, door: str | None) -> list[Outcome]:
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(folder / "outcomes.jsonl")
    options = ["-o", "addopts=", "-q", "--import-mode=importlib", "-m", "attack"]
    chosen = [str(ATTACKS)] if door is None else [str(file) for file in ATTACKS.glob(f"test_{door}*.py")]
    pytest.main([*options, *chosen], plugins=[recorder])
    return recorder.outcomes


def report(outcomes: Sequence[Outcome]) -> str:
    held = sum(outcome.ended == "held" for outcome in outcomes)
    lines = [
        "# Doors and floods: what was tried, and what held",
        "",
        f"{conditions()}. {held} of {len(outcomes)} attacks held.",
        "",
        "| door | fault | tried | ended | s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in sorted(outcomes, key=lambda each: (each.door, each.fault, each.how != "as found")):
        lines.append(f"| {each.door} | {each.fault} | {each.how} | {each.ended} | {each.seconds:.1f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--door", help="only the attacks of tests/attacks/test_DOOR*.py")
    arguments = parser.parse_args()
    outcomes = attack(arguments.output, arguments.door)
    write_report(arguments.output, "attacks", {"attacks": [asdict(each) for each in outcomes]}, report(outcomes))
    if not outcomes or any(each.ended == "DID NOT HOLD" for each in outcomes):
        raise SystemExit("not every attack held")


if __name__ == "__main__":
    main()
