"""A runtime for tests: RoBERTa in numpy, its weights in a file of its own."""

from ose.runtimes.base import RuntimeRules

WEIGHTS = "weights.npz"
SIZES = "sizes.json"

RULES = RuntimeRules(
    name="numpy",
    precisions=("float32",),
    devices=("cpu",),
    distribution="numpy",
    needs=("numpy",),
    install="pip install numpy",
    files=(WEIGHTS, SIZES),
)
