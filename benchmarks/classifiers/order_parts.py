"""Of the report on classifiers: whether a short search's order holds, and what searching on the task is worth."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.classifiers.all_units import BY, num_members
from benchmarks.classifiers.found import PARTS, Found
from benchmarks.classifiers.report_parts import NOT_YET, points
from benchmarks.classifiers.resampled import agreements, mean_difference
from benchmarks.classifiers.task_search import shape_of


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
