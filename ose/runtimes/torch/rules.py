"""What can be said of the torch runtime without loading torch."""

from __future__ import annotations

from ose.runtimes.base import RuntimeRules

DESCRIPTION = "ose_model.json"
"""Which class is built, and what of it runs."""

CONFIG = "config.json"
WEIGHTS = "model.safetensors"

RULES = RuntimeRules(
    name="torch",
    precisions=("float32", "bfloat16", "float16"),
    devices=("cpu", "cuda"),
    distribution="torch",
    needs=("torch", "transformers"),
    install="pip install ose",
    files=(DESCRIPTION, CONFIG, WEIGHTS),
)
