"""What a runtime is: something that executes a model, which is saved for it first.

Three halves, each in a file of the member's folder, because they run in different processes: `rules.py` is asked at
submission, `saver.py` saves a model where torch is, and `engine.py` runs it in the latency process, which has no need
of torch. This file loads none of what they need, not even for annotations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ose.core.measurement import LatencyProtocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Part = Literal["encoder", "model"]
"""What of a model runs: the encoder alone, as a fill-mask student is timed, or all of it with its head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRules:
    """What can be said of a runtime without loading it: `RULES` of its `rules.py`.

    Attributes:
        name: What `latency.runtime` calls it.
        precisions: Of weights and arithmetic, under torch's names.
        devices: Kinds of devices that it runs on: `cpu`, `cuda`.
        distribution: The package whose version decides how fast it is.
        needs: Packages that must be installed, to save a model or to run it.
        install: How they are installed.
        files: Names of the files that it may save; of others nothing is read.
    """

    name: str
    precisions: tuple[str, ...]
    devices: tuple[str, ...]
    distribution: str
    needs: tuple[str, ...]
    install: str
    files: tuple[str, ...]

    def version(self) -> str:
        """The runtime with its version, as fingerprints have it."""
        return f"{self.distribution} {version(self.distribution)}"

    def missing(self) -> str | None:
        """One line on what has to be installed first; None if nothing is missing."""
        absent = [name for name in self.needs if not _is_installed(name)]
        if not absent:
            return None
        return f"it needs {' and '.join(absent)}, not installed here: {self.install}"


class Saver(Protocol):
    """Saves models for a runtime: `SAVER` of its `saver.py`.

    Attributes:
        needs_weights: Whether a model whose weights have no meaning, because it is only timed, is saved with them all
            the same. Where not, it is handed over without any, on torch's meta device.
    """

    needs_weights: bool

    def save(self, model: Any, part: Part, folder: Path, precision: str) -> None:
        """Write what the runtime needs to run a model.

        Args:
            model: A `transformers.PreTrainedModel` in float32. It is left as it is.
            part: What of it is to run.
            folder: Exists and is empty; gets some of `RuntimeRules.files`.
            precision: Of weights and arithmetic; one of the runtime's.

        Raises:
            StorageError: The folder cannot be written.
            DependencyError: The runtime has no means to run such a model.
        """


class Session(Protocol):
    """A saved model, loaded and ready to run."""

    def timed(self, input_ids: NDArray[np.int64]) -> Callable[[], float]:
        """A call that runs one batch and returns how long that took, in ms; the batch lies on the device before.

        Args:
            input_ids: Token ids, [sequences, tokens], none of them padding.
        """

    def output(self, input_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the model makes of a batch: hidden states of the encoder, logits of the whole model."""


class Engine(Protocol):
    """Runs what was saved for a runtime: `ENGINE` of its `engine.py`."""

    def open(self, folder: Path, protocol: LatencyProtocol) -> Session:
        """Load a saved model.

        Args:
            folder: What `Saver.save` wrote.
            protocol: Its device, threads and precision count. Threads are the whole process's.

        Raises:
            DependencyError: The device is not there.
        """

    def accelerator(self, device: str) -> str | None:
        """What the vendor calls a device; None of the CPU.

        Raises:
            DependencyError: The device is not there.
        """


def host_time_ms(call: Callable[[], object]) -> float:
    """How long a call takes by the host's clock."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3


def size_on_disk_bytes(folder: Path, names: Iterable[str]) -> int:
    """Size of a saved model.

    Args:
        folder: Where it lies.
        names: The runtime's `files`.
    """
    files = (folder / name for name in names)
    return sum(file.stat().st_size for file in files if file.is_file())


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
