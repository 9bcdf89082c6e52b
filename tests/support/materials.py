"""A tiny teacher and its text, where a deployment keeps such things."""

from __future__ import annotations

import argparse
import inspect
import json
import logging
import textwrap
from pathlib import Path

from cluster import Cluster
from models import save_tiny_roberta

from ose.data.docstrings import docstrings_of

_SHAPE = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
_MODULES = (argparse, inspect, json, logging, textwrap)


def put_materials(cluster: Cluster) -> None:
    """Put `teacher` and `text.txt` into the folder that jobs over HTTP may name."""
    documents = [text for module in _MODULES for text in docstrings_of(Path(module.__file__))]
    save_tiny_roberta(cluster.data / "teacher", documents, _SHAPE)
    (cluster.data / "text.txt").write_text("\n".join(" ".join(document.split()) for document in documents))
