"""Where torch is: a RoBERTa's weights and sizes as numpy takes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from numpy_runtime.rules import SIZES, WEIGHTS
from ose.runtimes.base import Part, Saver


class NumpySaver:
    needs_weights = True

    def save(self, model: PreTrainedModel, part: Part, folder: Path, precision: str) -> None:
        config = model.config
        sizes = {
            "part": part,
            "num_heads": config.num_attention_heads,
            "epsilon": config.layer_norm_eps,
            "first_position": config.pad_token_id + 1,
        }
        (folder / SIZES).write_text(json.dumps(sizes), encoding="utf8")
        np.savez(folder / WEIGHTS, **{name: value.float().numpy() for name, value in model.state_dict().items()})


SAVER: Saver = NumpySaver()
