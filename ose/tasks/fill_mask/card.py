"""The model card of an exported masked language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ose.core.architecture import Architecture
from ose.core.export import MANIFEST
from ose.core.shown import markdown
from ose.tasks.fill_mask.rules import RULES


def student_card(manifest: Mapping[str, Any]) -> str:
    """The model card: what the student is, how good, how fast, and how to use it."""
    teacher, student, latency = manifest["teacher"], manifest["student"], manifest["latency"]
    architecture = Architecture(**student["architecture"])
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
| latency p50 (p90), ms | {_latency(teacher)} | {_latency(student)} |
| held-out masked-LM loss, nats | {teacher["masked_lm_loss_nats"]:.3f} | {student["masked_lm_loss_nats"]:.3f} |
| masked tokens right | {teacher["masked_accuracy"]:.1%} | {student["masked_accuracy"]:.1%} |
| cross-entropy to the teacher, nats | {teacher["loss_nats"]:.3f} (its own entropy) | {student["loss_nats"]:.3f} |

Latency is that of the encoder, batch {latency["batch_size"]} x {latency["sequence_length"]} tokens, {latency["dtype"]},
{latency["threads"]} thread(s), on {markdown(manifest["device"])}. `{MANIFEST}` tells where every number came from.

```python
from transformers import AutoModelForMaskedLM, AutoTokenizer

model = AutoModelForMaskedLM.from_pretrained("this directory")
tokenizer = AutoTokenizer.from_pretrained("this directory")
```
"""


def _latency(entry: Mapping[str, Any]) -> str:
    return f"{entry['latency_p50_ms']:.2f} ({entry['latency_p90_ms']:.2f})"
