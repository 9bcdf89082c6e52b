"""The model card of an exported masked language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ose.core.architecture import Architecture
from ose.core.exports import MANIFEST
from ose.core.measurement import metric_text
from ose.core.metric_names import metric_label
from ose.core.shown import markdown
from ose.tasks.fill_mask.rules import RULES


def student_card(manifest: Mapping[str, Any]) -> str:
    """The model card: what the student is, how good, how fast, and how to use it."""
    teacher, student, latency = manifest["teacher"], manifest["student"], manifest["latency"]
    architecture = Architecture(**student["architecture"])
    metrics = _metric_lines(teacher["metrics"], student["metrics"])
    return f"""---
library_name: transformers
pipeline_tag: {RULES.pipeline_tag}
tags: [distillation, neural-architecture-search, ose]
---
# {markdown(manifest["job"]["name"])}: {architecture}

A student of {student["num_parameters"]:,} parameters, found by architecture search and distilled from a teacher of
{teacher["num_parameters"]:,} ({Architecture(**teacher["architecture"])}).

| | teacher | student |
| --- | --- | --- |
| parameters | {teacher["num_parameters"]:,} | {student["num_parameters"]:,} |
| latency p50 (p90), ms | {_latency(teacher)} | {_latency(student)} |{metrics}
| cross-entropy to the teacher, nats | {teacher["loss_nats"]:.3f} (its own entropy) | {student["loss_nats"]:.3f} |

Latency is that of the encoder, batch {latency["batch_size"]} x {latency["sequence_length"]} tokens, {latency["dtype"]},
{latency["threads"]} thread(s), on {markdown(manifest["device"])}. `{MANIFEST}` tells where every number came from.

```python
from transformers import AutoModelForMaskedLM, AutoTokenizer

model = AutoModelForMaskedLM.from_pretrained("this directory")
tokenizer = AutoTokenizer.from_pretrained("this directory")
```
"""


def _metric_lines(teachers: Mapping[str, Any], students: Mapping[str, Any]) -> str:
    lines = []
    for name in students:
        cells = (metric_text(name, each[name]["value"]) if name in each else "" for each in (teachers, students))
        lines.append(f"\n| {markdown(metric_label(name))} | {' | '.join(cells)} |")
    return "".join(lines)


def _latency(entry: Mapping[str, Any]) -> str:
    return f"{entry['latency_p50_ms']:.2f} ({entry['latency_p90_ms']:.2f})"
