"""Where torch is not: a RoBERTa's forward pass, operation by operation."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from math import erf, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numpy_runtime.rules import SIZES, WEIGHTS
from ose.core.measurement import LatencyProtocol
from ose.runtimes.base import Engine, Session, host_time_ms

Array = NDArray[np.float32]
_erf = np.vectorize(erf, otypes=[np.float32])


class NumpySession:
    def __init__(self, folder: Path) -> None:
        self._sizes = json.loads((folder / SIZES).read_text(encoding="utf8"))
        with np.load(folder / WEIGHTS) as stored:
            self._weights: dict[str, Array] = dict(stored)
        self._depth = sum(name.endswith("output.dense.weight") for name in self._weights) // 2

    def timed(self, input_ids: NDArray[np.int64]) -> Callable[[], float]:
        return partial(host_time_ms, partial(self.output, input_ids))

    def output(self, input_ids: NDArray[np.int64]) -> Array:
        states = self._embedded(input_ids)
        for layer in range(self._depth):
            states = self._layer(states, f"roberta.encoder.layer.{layer}.")
        return states if self._sizes["part"] == "encoder" else self._logits(states)

    def _embedded(self, input_ids: NDArray[np.int64]) -> Array:
        tables = "roberta.embeddings."
        positions = self._sizes["first_position"] + np.arange(input_ids.shape[1])
        states = self._weights[f"{tables}word_embeddings.weight"][input_ids]
        states = states + self._weights[f"{tables}position_embeddings.weight"][positions]
        return self._norm(states + self._weights[f"{tables}token_type_embeddings.weight"][0], f"{tables}LayerNorm")

    def _layer(self, states: Array, at: str) -> Array:
        attended = self._dense(self._attended(states, f"{at}attention.self."), f"{at}attention.output.dense")
        states = self._norm(states + attended, f"{at}attention.output.LayerNorm")
        inner = gelu(self._dense(states, f"{at}intermediate.dense"))
        return self._norm(states + self._dense(inner, f"{at}output.dense"), f"{at}output.LayerNorm")

    def _attended(self, states: Array, at: str) -> Array:
        query, key, value = (self._heads(self._dense(states, f"{at}{name}")) for name in ("query", "key", "value"))
        scores = query @ key.swapaxes(-1, -2) / sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        return (shares / shares.sum(-1, keepdims=True) @ value).swapaxes(1, 2).reshape(states.shape)

    def _heads(self, states: Array) -> Array:
        return states.reshape(*states.shape[:2], self._sizes["num_heads"], -1).swapaxes(1, 2)

    def _logits(self, states: Array) -> Array:
        inner = self._norm(gelu(self._dense(states, "lm_head.dense")), "lm_head.layer_norm")
        return self._dense(inner, "lm_head.decoder")

    def _dense(self, states: Array, at: str) -> Array:
        return states @ self._weights[f"{at}.weight"].T + self._weights[f"{at}.bias"]

    def _norm(self, states: Array, at: str) -> Array:
        deviation = states - states.mean(-1, keepdims=True)
        variance = (deviation**2).mean(-1, keepdims=True) + self._sizes["epsilon"]
        return deviation / np.sqrt(variance) * self._weights[f"{at}.weight"] + self._weights[f"{at}.bias"]


class NumpyEngine:
    def open(self, folder: Path, protocol: LatencyProtocol) -> Session:
        return NumpySession(folder)

    def accelerator(self, device: str) -> str | None:
        return None


def gelu(values: Array) -> Array:
    return values * (1 + _erf(values / np.float32(sqrt(2)))) / 2


ENGINE: Engine = NumpyEngine()
