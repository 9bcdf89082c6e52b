"""Train the quickstart's teacher on this machine's documentation strings (`make teacher`).

Hours on two cores, and resumable: run it again after an interruption. The text depends on what is
installed, so the result on another machine is a sibling of the committed teacher, not its copy.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer

from ose.artifacts.files import atomic_directory, atomic_file
from ose.data.docstrings import iter_docstrings
from ose.data.packing import pack_sequences
from ose.data.tokenizer import train_tokenizer
from ose.tasks.fill_mask.pretrain import PretrainingProgress, PretrainingRecipe, PretrainingReport, pretrain

TOKENIZER_DOCUMENTS = 15_000
PACKAGES = ("torch", "transformers", "ray", "pandas", "numpy", "sqlalchemy", "pyarrow", "datasets", "pydantic")


def make_teacher(
    recipe: PretrainingRecipe, work: Path, output: Path, max_documents: int | None = None
) -> PretrainingReport:
    """Read the text, train tokenizer and model, and write the model directory with its card.

    `max_documents` bounds each side of the text, for a trial run; None reads everything.
    """
    tokenizer_folder, sequences_file = work / "tokenizer", work / "sequences.npz"
    if not sequences_file.exists():
        documents = list(islice(iter_docstrings(held_out=False), max_documents))
        held_out_documents = islice(iter_docstrings(held_out=True), max_documents)
        tokenizer = train_tokenizer(documents[:TOKENIZER_DOCUMENTS], recipe.vocab_size, recipe.sequence_length)
        tokenizer.save_pretrained(tokenizer_folder)
        train = pack_sequences(documents, tokenizer, recipe.sequence_length)
        held_out = pack_sequences(held_out_documents, tokenizer, recipe.sequence_length)
        with atomic_file(sequences_file) as temporary, temporary.open("wb") as file:
            np.savez(file, train=train, held_out=held_out)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    with np.load(sequences_file) as archive:
        sequences = {name: archive[name] for name in ("train", "held_out")}
    model, report = pretrain(
        recipe, tokenizer, sequences["train"], sequences["held_out"], work / "checkpoints", print_progress
    )
    with atomic_directory(output) as folder:
        model.to(torch.float16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(card(recipe, report, len(sequences["train"])), encoding="utf8")
    return report


def print_progress(progress: PretrainingProgress) -> None:
    print(
        f"step {progress.step}/{progress.num_steps}  loss {progress.loss_nats:.3f} nats  "
        f"{progress.tokens_per_s:,.0f} tokens/s  about {progress.time_left_s / 60:.0f} min left",
        flush=True,
    )


def card(recipe: PretrainingRecipe, report: PretrainingReport, num_sequences: int) -> str:
    """The model card: what it is, how it was made, what it reaches."""
    teacher, ngrams = report.teacher, report.ngrams
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"""---
library_name: transformers
pipeline_tag: fill-mask
license: apache-2.0
---
# The quickstart's teacher

A RoBERTa of {report.num_parameters:,} parameters ({recipe.num_hidden_layers} layers, {recipe.num_attention_heads} heads,
hidden {recipe.hidden_size}, intermediate {recipe.intermediate_size}, {recipe.vocab_size:,} byte-level BPE tokens, sequences
of {recipe.sequence_length}), trained from random weights on the documentation strings of Python's standard library and of
the packages beside it ({packages}, and what they need). It knows how programmers describe code, and little else; it is
here so that `ose quickstart` has a real teacher without a network.

| held-out loss, {teacher.num_targets:,} masked tokens | nats |
| --- | --- |
| this model | {teacher.loss_nats:.3f} ± {teacher.loss_stderr_nats:.3f} |
| bigram model (true left neighbour, absolute discounting) | {ngrams.bigram_nats:.3f} |
| token frequencies | {ngrams.unigram_nats:.3f} |

It fills {100 * teacher.accuracy:.1f} % ± {100 * teacher.accuracy_stderr:.1f} % of the masked tokens exactly right (15 % of the
positions, shown as mask / random / unchanged in 80/10/10). The held-out text is that of whole modules, one in 32, chosen by
the hash of their path; text that modules copy from one another is on both sides.

Made by `make teacher`: {recipe.num_steps:,} steps of {recipe.batch_size} x {recipe.sequence_length} tokens
({report.num_training_tokens / 1e6:.0f} M tokens, {num_sequences:,} different sequences), bfloat16 on two CPU cores; stored in
half precision. The whole recipe:

```json
{json.dumps(asdict(recipe), indent=2)}
```
"""


def main() -> None:
    defaults = PretrainingRecipe()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("results/teacher"), help="checkpoints and packed text")
    parser.add_argument("--output", type=Path, default=Path("ose/assets/teacher"), help="the model directory")
    parser.add_argument("--steps", type=int, default=defaults.num_steps)
    parser.add_argument("--documents", type=int, help="read only so many, for a trial run")
    arguments = parser.parse_args()
    recipe = PretrainingRecipe(num_steps=arguments.steps)
    report = make_teacher(recipe, arguments.work, arguments.output, arguments.documents)
    print(json.dumps(asdict(report), indent=2))


if __name__ == "__main__":
    main()
