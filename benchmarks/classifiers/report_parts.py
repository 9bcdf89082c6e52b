"""The parts of the report on classifiers, a function each. What is not there yet is said, not left out."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import Any

import numpy as np

from benchmarks.classifiers.all_units import BY, num_members
from benchmarks.classifiers.found import PARTS, Found
from benchmarks.classifiers.resampled import Cell, Grouped, Interval, agreements, mean_difference, ratio
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
    return "\n".join(lines)


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


def order_text(found: Found) -> str:
    """Kendall's tau of short searches with full distillation, beside that of operations alone and of the language model."""
    count = num_members(found.sizes.order_space)
    done = [row for index in range(count) if (row := found.get(f"order/{index}"))]
    searches = {
        name: found.get(name) for name in ("order/search", f"{found.sizes.order_task}/search", "language/search")
    }
    if len(done) < count or None in searches.values():
        return f"{len(done)} of {count} shapes are distilled fully; the searches that are compared: " + ", ".join(
            f"{name} {'done' if search else NOT_YET}" for name, search in searches.items()
        )
    truth = np.array([row["item_losses_nats"] for row in done])
    shapes = [shape_of(row) for row in done]
    told: dict[str, Any] = {"operations alone": np.array([-float(row["flops"]) for row in done])}
    for name, label in _labels(found).items():
        losses = {shape_of(row): row["item_losses_nats"] for row in searches[name]["candidates"]}
        values = np.array([losses[shape] for shape in shapes])
        told[label] = values.mean(axis=1) if name == "language/search" else values
    noise = seed_noise(found)
    rows = agreements(told, truth, noise)
    return "\n".join(
        [
            f"{count} shapes on {found.sizes.order_task}; shapes and items drawn anew, and a seed's noise of {noise:.4f} "
            "nats in the truth.",
            "",
            "| told by | Kendall's tau | P(tau >= 0.9) |",
            "| --- | --- | --- |",
            *(
                f"| {name} | {each.tau.value:.2f} ({each.tau.low:.2f} to {each.tau.high:.2f}) | {each.share_reaching:.2f} |"
                for name, each in rows.items()
            ),
        ]
    )


def _labels(found: Found) -> dict[str, str]:
    return {
        "order/search": f"task loss, {found.sizes.few_steps} steps",
        f"{found.sizes.order_task}/search": f"task loss, {found.sizes.steps} steps",
        "language/search": f"language model's loss, {found.sizes.few_steps} steps",
    }


def seed_noise(found: Found) -> float:
    """Standard deviation of a final loss over seeds, of the students that have several."""
    losses = [
        [found.results[unit]["loss_nats"] for unit in units]
        for target in found.sizes.tasks[found.sizes.order_task].targets
        for units in found.students(found.sizes.order_task, target).values()
        if len(units) > 1
    ]
    return float(np.sqrt(np.mean([np.var(each, ddof=1) for each in losses]))) if losses else 0.0


def language_text(found: Found) -> str:
    """Both winners, distilled on the task."""
    task, seeds = found.sizes.order_task, range(found.sizes.seeds)
    choices = {by: found.get(f"language/{by}") for by in BY}
    units = {
        by: [f"language/{by}/seed-{seed}" for seed in seeds if f"language/{by}/seed-{seed}" in found.results]
        for by in BY
    }
    if None in choices.values() or not all(units.values()):
        return f"The choices of both searches among the same shapes: {NOT_YET}."
    shapes = {by: shape_of(choice) for by, choice in choices.items()}
    if shapes["task"] == shapes["language"]:
        return f"Both searches choose {shapes['task']}: there is no difference to tell."
    lines = []
    for part in PARTS:
        one, other = (found.grouped(task, part, units[by]) for by in BY)
        told = NOT_YET if one is None or other is None else f"{points(mean_difference([(task, one, other)]))} points"
        lines.append(
            f"- The {part} part: on the task {shapes['task']}, on the language model {shapes['language']}; {told}."
        )
    return "\n".join(lines)
