"""Which runtimes there are. Reading the table imports none of them."""

from __future__ import annotations

from importlib import import_module

from ose.errors import InvalidInputError
from ose.runtimes.base import Engine, RuntimeRules, Saver

RUNTIMES = {
    "torch": "ose.runtimes.torch",
    "onnxruntime": "ose.runtimes.onnxruntime",
}
"""The package of each runtime: a folder with `rules.py`, `saver.py` and `engine.py`."""


def runtime_package(name: str) -> str:
    """The package of a runtime, as requests to other processes name it.

    Raises:
        InvalidInputError: There is no such runtime.
    """
    if name not in RUNTIMES:
        raise InvalidInputError(f"runtime must be one of {', '.join(RUNTIMES)}, not {name!r}")
    return RUNTIMES[name]


def runtime_rules(package: str) -> RuntimeRules:
    """What can be said of a runtime without loading it."""
    rules: RuntimeRules = import_module(f"{package}.rules").RULES
    return rules


def runtime_saver(package: str) -> Saver:
    """What saves models for a runtime. It loads torch."""
    saver: Saver = import_module(f"{package}.saver").SAVER
    return saver


def runtime_engine(package: str) -> Engine:
    """What runs models saved for a runtime. It loads the runtime, and torch only if that is it."""
    engine: Engine = import_module(f"{package}.engine").ENGINE
    return engine
