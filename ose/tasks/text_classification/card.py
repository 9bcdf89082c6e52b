"""The model card of an exported classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ose.core.architecture import Architecture
from ose.core.exports import MANIFEST
from ose.core.measurement import metric_text
from ose.core.shown import markdown
from ose.tasks.text_classification.rules import RULES


def student_card(manifest: Mapping[str, Any]) -> str:
    """The model card: what the student is, how good, how fast, and how to use it."""
    teacher, student, latency = manifest["teacher"], manifest["student"], manifest["latency"]
    rows = "".join(_metric_line(name, teacher["metrics"], student["metrics"]) for name in student["metrics"])
    return f"""---
library_name: transformers
pipeline_tag: {RULES.pipeline_tag}
tags: [distillation, neural-architecture-search, ose]
---
# {markdown(manifest["job"]["name"])}: {Architecture(**student["architecture"])}

A student of {student["num_parameters"]:,} parameters, found by architecture search and distilled from a classifier of
{teacher["num_parameters"]:,} ({Architecture(**teacher["architecture"])}).

| | teacher | student |
| --- | --- | --- |
| parameters | {teacher["num_parameters"]:,} | {student["num_parameters"]:,} |
| latency p50 (p90), ms | {_latency(teacher)} | {_latency(student)} |{rows}

Latency is that of the whole model, batch {latency["batch_size"]} x {latency["sequence_length"]} tokens,
{latency["dtype"]}, {latency["threads"]} thread(s), on {markdown(manifest["device"])}. `{MANIFEST}` tells where every
number came from.

```python
from transformers import pipeline

classify = pipeline("{RULES.pipeline_tag}", "this directory")
```
"""


def _metric_line(name: str, teachers: Mapping[str, Any], students: Mapping[str, Any]) -> str:
    cells = (metric_text(name, each[name]["value"]) if name in each else "" for each in (teachers, students))
    return f"\n| {markdown(name)} | {' | '.join(cells)} |"


def _latency(entry: Mapping[str, Any]) -> str:
    return f"{entry['latency_p50_ms']:.2f} ({entry['latency_p90_ms']:.2f})"
