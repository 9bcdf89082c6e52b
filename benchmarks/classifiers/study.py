"""Does the search find better classifiers than hands do? On SST-2 and CLINC150, with teachers of your encoder.

    python benchmarks/classifiers/study.py --splits FOLDER --encoder DIR --text wiki.txt.xz --output FOLDER --plan
    python benchmarks/classifiers/study.py --splits FOLDER --encoder DIR --text wiki.txt.xz --output FOLDER
    python benchmarks/classifiers/study.py ... --only latencies         on an idle machine, again as often as you like
    python benchmarks/classifiers/study.py ... --only official          once, at the end
    python benchmarks/classifiers/study_report.py --output FOLDER --report results/NAME

`splits.py` writes the parts. Each process takes one core, so start the second line once for each core. Everything is done
in units, and each unit's result is a file below FOLDER/results: the same command goes on where it stood, however it ended,
and distillations and fine-tunings in the middle of which it ended go on from their checkpoints. `--plan` says how many
hours that is, from a short measurement. The official parts are looked at by `--only official` alone, which refuses to as
long as any student is not distilled.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

import ose
from benchmarks.classifiers.all_units import Units
from benchmarks.classifiers.last_looks import look_at_official_parts, measure_latencies
from benchmarks.classifiers.plan import Pace, measured_pace, plan_text
from benchmarks.classifiers.sizes import FULL, StudySizes
from benchmarks.classifiers.units import Results, Unit, do_all
from benchmarks.classifiers.work import Work
from ose.artifacts.files import write_json
from ose.core.progress import Silence


class TimedLines(Silence):
    """A line for each stage: what is under way is seen in a log."""

    def stage(self, title: str, total: int) -> None:
        """Say which, and when."""
        print(f"{time.strftime('%F %T')}   {title} ({total:,})", flush=True)

    def say(self, message: str) -> None:
        """Say it."""
        print(f"    {message}", flush=True)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, required=True, help="what splits.py wrote")
    parser.add_argument(
        "--encoder", type=Path, required=True, help="a masked language model, of which teachers are made"
    )
    parser.add_argument("--text", type=Path, required=True, help="of the search on the language model")
    parser.add_argument("--output", type=Path, required=True, help="all state; keep it to go on")
    parser.add_argument("--plan", action="store_true", help="say what it takes and what is left, and do nothing")
    parser.add_argument("--only", choices=("latencies", "official"), help="one of the last looks")
    return parser.parse_args(arguments)


def pace_of(work: Work) -> Pace:
    """As it was when the study began."""
    if "pace" not in work.results:
        first = next(iter(work.sizes.tasks.values()))
        pace = measured_pace(work.encoder, first, work.sizes.language_length)
        write_json(work.output / "results" / "pace.json", asdict(pace))
    return Pace(**work.results["pace"])


def run(options: argparse.Namespace, sizes: StudySizes, **parts: Any) -> list[str]:
    """Do what is asked for, with parts of the work changed; returns the names of units that failed."""
    results = Results(options.output / "results")
    (options.output / "results").mkdir(parents=True, exist_ok=True)
    with ose.Workspace(options.output / "home", TimedLines()) as workspace:
        work = Work(
            sizes=sizes,
            splits=options.splits,
            encoder=options.encoder,
            text=options.text,
            output=options.output,
            results=results,
            workspace=workspace,
            **parts,
        )
        units = Units(work, pace_of(work)).all()
        print(plan_text(units, [unit.name for unit in units if unit.name in results], pace_of(work)), flush=True)
        return [] if options.plan else _do(work, units, options.only)


def _do(work: Work, units: list[Unit], only: str | None) -> list[str]:
    if only == "latencies":
        measure_latencies(work)
    elif only == "official":
        look_at_official_parts(work, units)
    else:
        return do_all(units, work.results)
    return []


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if failed := run(parse_arguments(), FULL):
        sys.exit(f"failed here, see above: {', '.join(failed)}")


if __name__ == "__main__":
    main()
