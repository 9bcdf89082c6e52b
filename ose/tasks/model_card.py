"""What the model cards of all tasks have: what a student is, how good and fast, and what it was made of.

A card is Markdown that a hub shows to strangers. Whatever somebody else has written stands in it as plain text, and
of files their names alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ose.core.architecture import Architecture
from ose.core.exports import MANIFEST
from ose.core.measurement import text_with_error
from ose.core.metric_names import metric_label
from ose.core.shown import markdown
from ose.tasks.rules import TaskRules

Manifest = Mapping[str, Any]

THIS = "this directory"
"""What a card calls the folder that it lies in."""

_MOST_FILES = 10
_NOTE = 1_000
_PARTS = {"encoder": "encoder", "model": "whole model with its head"}


def front_matter(rules: TaskRules, manifest: Manifest) -> str:
    """What a hub reads, as YAML; it says no more than is known, so there may be no licence in it."""
    teacher = manifest["teacher"]
    known = {
        "library_name": "transformers",
        "pipeline_tag": rules.pipeline_tag,
        "base_model": teacher["base_model"],
        "license": teacher["licence"],
        "tags": ["distillation", "neural-architecture-search", "ose"],
    }
    lines = [f"{name}: {json.dumps(value)}" for name, value in known.items() if value is not None]
    return "\n".join(["---", *lines, "---"])


def heading(rules: TaskRules, manifest: Manifest) -> str:
    """Its name, and what it was made from."""
    teacher, student = manifest["teacher"], manifest["student"]
    called = f", {markdown(teacher['base_model'])}" if teacher["base_model"] else ""
    return f"""# {markdown(manifest["job"]["name"])}: {_shape(student)}

A {rules.model_kind} of {student["num_parameters"]:,} parameters, found by architecture search and distilled from one of
{teacher["num_parameters"]:,} ({_shape(teacher)}{called})."""


def comparison(manifest: Manifest, loss_name: str) -> str:
    """Teacher and student side by side.

    Args:
        manifest: The student's.
        loss_name: What the loss is called.
    """
    teacher, student = manifest["teacher"], manifest["student"]
    rows = [
        ("parameters", *(f"{each['num_parameters']:,}" for each in (teacher, student))),
        ("latency p50 (p90), ms", *map(_latency, (teacher, student))),
        *(_metric_row(name, teacher["metrics"], student["metrics"]) for name in student["metrics"]),
        (loss_name, f"{_loss(teacher)} (its own entropy)", _loss(student)),
    ]
    return table(("", "teacher", "student"), rows)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    names = list(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (names, ["---"] * len(names), *rows))


def speed(rules: TaskRules, manifest: Manifest) -> str:
    """How much faster, and by which protocol; what was disturbed is not to be believed."""
    teacher, student, latency = manifest["teacher"], manifest["student"], manifest["latency"]
    times = teacher["latency_p50_ms"] / student["latency_p50_ms"]
    lines = [
        f"The student is {times:.1f} times as fast. Latency is that of the {_PARTS[rules.timed_part]}, batch",
        f"{latency['batch_size']} x {latency['sequence_length']} tokens, {latency['dtype']}, "
        f"{latency['threads']} thread(s), on {markdown(manifest['device'])}.",
    ]
    disturbed = [name for name in ("teacher", "student") if manifest[name]["latency_flagged"]]
    if disturbed:
        lines.append(f"**Do not believe it**: the latency of the {' and the '.join(disturbed)} was disturbed.")
    return "\n".join(lines)


def origin(manifest: Manifest) -> str:
    """Data, recipe, and what is to be known of both."""
    corpus, length = manifest["corpus"], manifest["job"]["spec"]["corpus"]["sequence_length"]
    held_out = _files(corpus["validation"]) or "a part of the same that was not trained on"
    lines = [
        f"Trained on: {_files(corpus['train'])}; held out: {held_out}.",
        f"Texts were cut at {length:,} tokens in training.",
        *_checks(manifest["teacher"].get("checks", ())),
        *(markdown(note, _NOTE) for note in manifest.get("notes", ())),
        _recipe(manifest["distillation"]["spec"]),
        f"`{MANIFEST}` tells where every number came from.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _checks(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    told = "; ".join(each["told"] for each in checks)
    return [f"Before anything was learnt from it, the teacher was checked: {markdown(told, _NOTE)}."] if told else []


def _recipe(spec: Mapping[str, Any]) -> str:
    weights = ", ".join(f"{name} {weight:g}" for name, weight in spec["weights"].items() if weight)
    return (
        f"Recipe: {markdown(spec['preset'])}, {spec['steps']:,} steps of {spec['batch_size']}, learning rate "
        f"{spec['learning_rate']:g}, temperature {spec['temperature']:g}, losses {weights}, "
        f"seed {spec['seed']}."
    )


def with_error(name: str, metric: Mapping[str, float | None]) -> str:
    """A metric's value with its standard error, where that is known."""
    value, stderr = metric["value"], metric["stderr"]
    assert value is not None
    return text_with_error(name, value, stderr)


def code(lines: str) -> str:
    """Python in a card."""
    return f"```python\n{lines.strip()}\n```"


def _shape(entry: Mapping[str, Any]) -> Architecture:
    return Architecture(**entry["architecture"])


def _metric_row(name: str, teachers: Mapping[str, Any], students: Mapping[str, Any]) -> list[str]:
    cells = (with_error(name, each[name]) if name in each else "" for each in (teachers, students))
    return [markdown(metric_label(name)), *cells]


def _loss(entry: Mapping[str, Any]) -> str:
    return f"{entry['loss_nats']:.3f} ± {entry['loss_stderr_nats']:.3f}"


def _latency(entry: Mapping[str, Any]) -> str:
    flag = ", disturbed" if entry["latency_flagged"] else ""
    return f"{entry['latency_p50_ms']:.2f} ({entry['latency_p90_ms']:.2f}){flag}"


def _files(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _MOST_FILES} more" if len(listed) > _MOST_FILES else ""
    return ", ".join(markdown(name) for name in listed[:_MOST_FILES]) + more
