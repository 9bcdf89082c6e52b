"""A teacher without its context: the mean of a vector for each token, after model2vec.

A token's vector is the teacher's last state at the token between its special tokens alone, on the principal components
of all tokens, times SIF's weight a / (a + p) of a token that makes up p of the text (Arora, Liang and Ma, 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from transformers import PreTrainedModel

from ose.baselines.linear_model import Features, pair_features
from ose.baselines.texts import Text, TokenIds
from ose.tasks.base import Examples, Task

Vectors = NDArray[np.float32]

_DIMENSIONS = 256
_SIF = 1e-4
_AT_ONCE = 256


class StaticEmbedding:
    """One vector a token. Only those that occur are made; nothing else is looked up when they are judged.

    Args:
        texts: That are trained on; frequencies are theirs.
        held_out: That are judged on.
        states: From token ids to the teacher's states at them, (N, H).
        vocab_size: Tokens that a table for all texts would have.
    """

    strength = 0.1
    library = f"numpy {np.__version__}"

    def __init__(
        self, texts: Sequence[Text], held_out: Sequence[Text], states: Callable[[TokenIds], Vectors], vocab_size: int
    ) -> None:
        counts, others = (np.bincount(_all_tokens(each), minlength=vocab_size) for each in (texts, held_out))
        tokens = np.flatnonzero(counts + others)
        found = states(tokens)
        components = PCA(min(_DIMENSIONS, *found.shape), random_state=0).fit_transform(found)
        share = counts[tokens] / counts.sum()
        self._vectors = np.zeros((vocab_size, components.shape[1]), np.float32)
        self._vectors[tokens] = components * (_SIF / (_SIF + share))[:, None]

    @property
    def num_parameters(self) -> int:
        """Of the table."""
        return self._vectors.size

    def read(self, texts: Sequence[Text]) -> Sequence[Text]:
        """What its latency begins with: token ids."""
        return texts

    def features(self, texts: Sequence[Text]) -> Features:
        """(N, F): of the length that each dimension is about 1."""
        parts = [np.stack([self._mean(ids) for ids in each]) for each in zip(*texts, strict=True)]
        return parts[0] if len(parts) == 1 else pair_features(*parts)

    def _mean(self, ids: TokenIds) -> Vectors:
        total = self._vectors[ids].sum(axis=0)
        norm = float(np.linalg.norm(total))
        scaled: Vectors = total * (len(total) ** 0.5 / norm) if norm else total
        return scaled


def teacher_states(task: Task, teacher: PreTrainedModel, examples: Examples) -> Callable[[TokenIds], Vectors]:
    """What the teacher makes of tokens, each between the two special tokens of a text."""
    inputs = examples.inputs(slice(1))
    ids = inputs["input_ids"][0, inputs["attention_mask"][0] > 0].cpu()
    return partial(_states, task, teacher, int(ids[0]), int(ids[-1]))


def _states(task: Task, teacher: PreTrainedModel, first: int, last: int, tokens: TokenIds) -> Vectors:
    assert task.references is not None
    found = []
    with torch.inference_mode():
        for some in torch.from_numpy(tokens).split(_AT_ONCE):
            input_ids = torch.stack([torch.full_like(some, first), some, torch.full_like(some, last)], dim=1)
            encoded = task.encode(teacher, task.references.batch(input_ids), all_layers=False)
            found.append(encoded.states.unflatten(0, (len(some), 3))[:, 1].float().cpu().numpy())
    return np.concatenate(found)


def _all_tokens(texts: Sequence[Text]) -> TokenIds:
    return np.concatenate([ids for text in texts for ids in text])
