"""What is done once the students are there: their latencies, and the official parts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.classifiers.judged import hits
from benchmarks.classifiers.sizes import CHOICE, STUDENTS
from benchmarks.classifiers.teachers import bag_of_words
from benchmarks.classifiers.turns import in_turns, loaded
from benchmarks.classifiers.units import Unit
from benchmarks.classifiers.work import Work
from ose.artifacts.files import write_json
from ose.core.spec import CorpusSpec

FOLDER, OFFICIAL = "latencies", "official"


def measure_latencies(work: Work) -> None:
    """Of the students that are there, in turns with their teacher, at 128 tokens and at the median length.

    Each time is kept: reports take the one beside which others did least.
    """
    for task, target, folders in _groups(work):
        models = {"teacher": loaded(work.teacher_folder(task))} | {name: loaded(each) for name, each in folders.items()}
        lengths = (work.sizes.latency_tokens, work.results[f"{task}/search"]["median_tokens"])
        rows = [row for length in lengths for row in in_turns(models, length, work.sizes.rounds)]
        file = work.output / FOLDER / task / target / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, rows)
        print(f"{task} {target}: {len(models)} models, others took {_others(rows):.2f} cores", flush=True)


def _groups(work: Work) -> Iterator[tuple[str, str, dict[str, Path]]]:
    """Task, target, and the first seed of each of its students that is there."""
    for task, sizes in work.sizes.tasks.items():
        for target in (*sizes.targets, *sizes.aims):
            names = [name for name in STUDENTS if f"{task}/{target}/{name}/seed-0" in work.results]
            if CHOICE in names:
                yield task, target, {name: _folder(work, f"{task}/{target}/{name}/seed-0") for name in names}


def _folder(work: Work, name: str) -> Path:
    return Path(work.results[name]["folder"])


def _others(rows: Sequence[dict[str, Any]]) -> float:
    return sum(row["other_cores"] or 0.0 for row in rows) / len(rows)


def look_at_official_parts(work: Work, units: Sequence[Unit]) -> None:
    """Judge teachers, bags of words and all students on what nothing was chosen by. What is judged is not judged again.

    Raises:
        SystemExit: Something is not done yet that might be chosen by what is seen.
    """
    if left := [unit.name for unit in units if unit.name not in work.results]:
        raise SystemExit(
            f"{len(left)} units are not done yet, among them {left[0]}: the official part is looked at last"
        )
    for task, sizes in work.sizes.tasks.items():
        if f"{OFFICIAL}/{task}" not in work.results:
            names = [unit.name for unit in units]
            found = _official(work, task, names) if sizes.targets else _official_teacher(work, task)
            file = work.output / "results" / OFFICIAL / f"{task}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, found)


def _official_teacher(work: Work, task: str) -> dict[str, Any]:
    """Of a task without students, by `ose evaluate`."""
    sizes = work.sizes.tasks[task]
    corpus = CorpusSpec(train=(str(work.splits / task / "official.csv"),), columns=sizes.columns)
    report = work.workspace.evaluate(work.teacher_folder(task), corpus, sequence_length=sizes.sequence_length)
    return {name: asdict(metric) for name, metric in report.models[0].metrics.items()}


def _official(work: Work, task: str, names: Sequence[str]) -> dict[str, str]:
    """Hits by the name of what has them."""
    part, teacher = work.part(task, "official"), work.teacher_folder(task)
    bag = bag_of_words(teacher, work.part(task, "train"), {OFFICIAL: part})
    found = {f"{task}/teacher": hits(teacher, teacher, part), f"{task}/bag": bag["hits"][OFFICIAL]}
    for name in _students_of(work, task, names):
        found[name] = hits(_folder(work, name), teacher, part)
        print(name, f"{found[name].count('1') / len(part.labels):.1%}", flush=True)
    return found


def _students_of(work: Work, task: str, names: Sequence[str]) -> list[str]:
    """Units that distilled one of a task's."""
    of_order = ("order/", "language/") if task == work.sizes.order_task else ()
    own = [name for name in names if name.startswith((f"{task}/", *of_order))]
    return [
        name
        for name in own
        if not name.endswith("/teacher") and "hits" in work.results[name] and "folder" in work.results[name]
    ]
