"""The parts of the report on classifiers, a function each. What is not there yet is said, not left out."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import Any

import numpy as np

from benchmarks.classifiers.found import PARTS, Found
from benchmarks.classifiers.resampled import Cell, Grouped, Interval, mean_difference, ratio
from benchmarks.classifiers.sizes import CHOICE, RIVALS
from benchmarks.classifiers.task_search import shape_of
from benchmarks.classifiers.turns import shares

AIMS = {
    ("sst2", "quarter"): (0.97, 0.70),
    ("sst2", "twelfth"): (0.94, 0.40),
    ("clinc150", "quarter"): (None, 0.70),
    ("clinc150", "eighth"): (None, 0.50),
}
"""Of the official part: the share of the teacher's accuracy, and that of its lead over the bag of words."""

NOT_YET = "not done yet"


def percent(value: float | None) -> str:
    return NOT_YET if value is None else f"{value:.1%}"


def points(interval: Interval) -> str:
    """A difference of accuracies."""
    return f"{100 * interval.value:+.2f} ({100 * interval.low:+.2f} to {100 * interval.high:+.2f})"


def share_text(interval: Interval) -> str:
    if math.isnan(interval.value):
        return "there is no lead"
    return f"{interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def with_spread(values: list[float]) -> str:
    """Of seeds."""
    return f"{fmean(values):.1%}" + (f" ± {stdev(values):.1%}" if len(values) > 1 else "")


def teachers_text(found: Found) -> str:
    """Their accuracies, and those of the bags of words."""
    lines = [
        "| task | training items | steps | teacher, validation | official | bag of words, validation | official |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task in found.sizes.tasks:
        teacher = found.get(f"{task}/teacher")
        if teacher is None:
            lines.append(f"| {task} | {NOT_YET} | | | | | |")
            continue
        cells = [_quality(found, task, unit, part) for unit in ("teacher", "bag") for part in PARTS]
        steps = teacher["models"][0]["num_steps"]
        lines.append(f"| {task} | {teacher['num_train']:,} | {steps:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _quality(found: Found, task: str, unit: str, part: str) -> str:
    if found.sizes.tasks[task].targets:
        grouped = found.grouped(task, part, [f"{task}/{unit}"])
        return percent(None if grouped is None else grouped.accuracy())
    if unit == "bag":
        return ""
    metrics = (
        found.get(f"official/{task}")
        if part == "official"
        else found.results[f"{task}/teacher"]["models"][0]["metrics"]
    )
    return NOT_YET if metrics is None else f"Spearman {metrics['spearman']['value']:.3f}"


def students_text(found: Found) -> str:
    """A table for each task and latency."""
    return "\n\n".join(_cell_text(found, task, target) for task, target in found.cells())


def _cell_text(found: Found, task: str, target: str) -> str:
    students = found.students(task, target)
    if CHOICE not in students:
        return f"{task} at a {target} of the teacher's latency: {NOT_YET}."
    rows = found.latency_rows(task, target)
    tokens = sorted({row["num_tokens"] for row in rows}, reverse=True)
    at = "".join(f" latency at {length} tokens |" for length in tokens) or " latency (planned) |"
    lines = [
        f"{task} at a {target} of the teacher's latency. Differences from the choice are in points of accuracy, in pairs.",
        "",
        f"| student | L, A, H, I | layers | parameters |{at} seeds | search loss | final loss | validation "
        "| less the choice | official | less the choice |",
        "| --- " * (11 + max(1, len(tokens))) + "|",
    ]
    for name, units in students.items():
        lines.append(_student_line(found, task, target, name, units, rows, tokens))
    return "\n".join([*lines, *_latency_note(rows)])


def _latency_note(rows: list[dict[str, Any]]) -> list[str]:
    """How near the rivals lie to the choice, and beside what that was told."""
    if not rows:
        return ["", "Latencies are planned by the processor's own time, one model after the other."]
    notes = [""]
    for length in sorted({row["num_tokens"] for row in rows}, reverse=True):
        told = shares([row for row in rows if row["num_tokens"] == length], "wall_ms")
        away = max((abs(told[name] / told[CHOICE] - 1) for name in told if name in RIVALS), default=0.0)
        notes.append(f"At {length} tokens all rivals lie within {away:.1%} of the choice's latency.")
    others = fmean(row["other_cores"] or 0.0 for row in rows)
    return [*notes, f"Other processes kept {others:.2f} cores busy meanwhile."]


def _student_line(
    found: Found, task: str, target: str, name: str, units: list[str], rows: list[dict[str, Any]], tokens: list[int]
) -> str:
    row = found.results[f"{task}/{target}/{name}"]
    told = [shares([each for each in rows if each["num_tokens"] == length], "wall_ms") for length in tokens]
    at = [f"{each[name]:.3f}" if name in each else "" for each in told] or [f"{row['share']:.3f}"]
    results = [found.results[unit] for unit in units]
    cells = [
        name,
        str(shape_of(row)),
        "" if row["layers"] is None else str(row["layers"]),
        f"{row['num_parameters'] / 1e6:.2f}M",
        *at,
        str(len(units)),
        f"{row['loss_nats']:.4f}",
        f"{fmean(each['loss_nats'] for each in results):.4f}",
    ]
    for part in PARTS:
        cells += _accuracy_cells(found, task, target, name, units, part)
    return "| " + " | ".join(cells) + " |"


def _accuracy_cells(found: Found, task: str, target: str, name: str, units: list[str], part: str) -> list[str]:
    own = found.grouped(task, part, units)
    choice = found.grouped(task, part, found.students(task, target)[CHOICE])
    if own is None or choice is None:
        return [NOT_YET, ""]
    told = with_spread([Grouped.accuracy(own, seeds=np.array([seed])) for seed in range(len(own.sums))])
    return [told, "" if name == CHOICE else points(mean_difference([(task, own, choice)]))]


def claim_text(found: Found) -> str:
    """The choice less the best student picked by hand, mean over tasks and latencies."""
    lines = []
    for part in PARTS:
        for chosen_on in dict.fromkeys(("validation", part)):
            lines.append(_claim_line(found, part, chosen_on))
    return "\n".join(lines)


def _claim_line(found: Found, part: str, chosen_on: str) -> str:
    title = f"- The {part} part, the best rival by the {chosen_on} part:"
    wanted = [(task, target) for task, sizes in found.sizes.tasks.items() for target in sizes.targets]
    named = [(task, target, best_rival(found, task, target, chosen_on)) for task, target in wanted]
    cells = [
        cell for task, target, rival in named if rival and (cell := _cell(found, task, target, rival, part)) is not None
    ]
    if not cells:
        return f"{title} {NOT_YET}."
    rivals = ", ".join(f"{task} {target}: {rival}" for task, target, rival in named if rival)
    return f"{title} {points(mean_difference(cells))} points over {len(cells)} of {len(wanted)} ({rivals})."


def best_rival(found: Found, task: str, target: str, part: str) -> str | None:
    """Of those picked by hand the one of the highest accuracy; None if some are not there."""
    students = found.students(task, target)
    if not students.keys() >= set(RIVALS):
        return None
    grouped = {name: found.grouped(task, part, students[name]) for name in RIVALS}
    told = {name: each.accuracy() for name, each in grouped.items() if each is not None}
    return max(told, key=lambda name: told[name]) if len(told) == len(RIVALS) else None


def _cell(found: Found, task: str, target: str, rival: str, part: str) -> Cell | None:
    students = found.students(task, target)
    one, other = (found.grouped(task, part, students.get(name, [])) for name in (CHOICE, rival))
    return None if one is None or other is None else (task, one, other)


def aims_text(found: Found) -> str:
    """Shares of the teacher's accuracy and of its lead, of the choice, beside what is aimed at."""
    lines = [
        "| task | latency | part | share kept | aim | share of the lead | aim | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task, target in found.cells():
        lines += [_aim_line(found, task, target, part) for part in PARTS]
    return "\n".join(lines)


def _aim_line(found: Found, task: str, target: str, part: str) -> str:
    kept_aim, lead_aim = AIMS.get((task, target), (None, None))
    own = found.grouped(task, part, found.students(task, target).get(CHOICE, []))
    teacher, bag = (found.grouped(task, part, [f"{task}/{name}"]) for name in ("teacher", "bag"))
    aims = ["" if aim is None else f"{aim:.0%}" for aim in (kept_aim, lead_aim)]
    if own is None or teacher is None or bag is None:
        return f"| {task} | {target} | {part} | {NOT_YET} | {aims[0]} | | {aims[1]} | |"
    kept, lead = ratio(own, teacher, None), ratio(own, teacher, bag)
    checked = [told.value >= aim for told, aim in ((kept, kept_aim), (lead, lead_aim)) if aim is not None]
    met = ("yes" if all(checked) else "no") if checked else ""
    return f"| {task} | {target} | {part} | {share_text(kept)} | {aims[0]} | {share_text(lead)} | {aims[1]} | {met} |"


def longer_text(found: Found) -> str:
    """One student after more steps, and after the usual ones."""
    task, target = found.sizes.order_task, found.sizes.order_target
    place = f"{task}/{target}/{CHOICE}"
    if found.get(f"{place}/longer") is None or found.get(f"{place}/seed-0") is None:
        return f"The choice of {task} at a {target}, {found.sizes.longer_steps:,} steps: {NOT_YET}."
    lines = ["| steps | final loss | validation | official |", "| --- | --- | --- | --- |"]
    for unit in (f"{place}/seed-0", f"{place}/longer"):
        told = [_accuracy_of(hits) for hits in found.all_hits(task, unit).values()]
        result = found.results[unit]
        lines.append(f"| {result['steps']:,} | {result['loss_nats']:.4f} | {' | '.join(told)} |")
    return "\n".join(lines)


def _accuracy_of(hits: str | None) -> str:
    return percent(None if hits is None else hits.count("1") / len(hits))
