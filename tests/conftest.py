"""Tiny real teachers, built once a session. Nothing here is random beyond its seed."""

from __future__ import annotations

import argparse
import asyncio
import email.message
import inspect
import json
import logging
import textwrap
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ose.core.job import CorpusFacts
from ose.core.spec import WorkersSpec
from ose.core.task import DataTask
from ose.data.docstrings import docstrings_of

if TYPE_CHECKING:
    from workers.ray_backend import RayBackend

TINY_SHAPE = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
_MODULES = (argparse, asyncio.base_events, email.message, inspect, json, logging, textwrap, unittest.case)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file share its fixtures, so one process runs them; and one runs all that start a Ray cluster."""
    for item in items:
        group = "ray" if item.get_closest_marker("ray") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for one another are slow beside other work, and models so small need none."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_text() -> list[str]:
    """Some 30 kB of documentation strings, a document each."""
    return [text for module in _MODULES for text in docstrings_of(Path(module.__file__))]


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory, real_text: list[str]) -> Path:
    """Directory of a RoBERTa of TINY_SHAPE with 66 positions (sequences of 64) and 800 tokens."""
    import torch
    from transformers import RobertaConfig, RobertaForMaskedLM

    from ose.data.tokenizer import train_tokenizer

    folder = tmp_path_factory.mktemp("teachers") / "tiny-roberta"
    tokenizer = train_tokenizer(real_text, vocab_size=800, sequence_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, **TINY_SHAPE
    )
    RobertaForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory, real_text: list[str]) -> Path:
    """Directory of a BERT of TINY_SHAPE with 64 positions and a WordPiece vocabulary of 800."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    folder = tmp_path_factory.mktemp("teachers") / "tiny-bert"
    learner = BertWordPieceTokenizer()
    learner.train_from_iterator(real_text, vocab_size=800, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=learner._tokenizer, model_max_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **TINY_SHAPE)
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sharp_roberta(tmp_path_factory: pytest.TempPathFactory, tiny_roberta: Path) -> Path:
    """tiny_roberta with an opinion: its distributions differ from place to place and from even ones."""
    import torch
    from models import shake
    from transformers import AutoTokenizer, RobertaForMaskedLM

    folder = tmp_path_factory.mktemp("teachers") / "sharp-roberta"
    model = shake(RobertaForMaskedLM.from_pretrained(tiny_roberta), by=0.2)
    with torch.no_grad():
        model.lm_head.bias.copy_(
            1.5 * torch.randn(model.lm_head.bias.shape, generator=torch.Generator().manual_seed(1))
        )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_roberta).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, real_text: list[str]) -> CorpusFacts:
    """real_text as two JSONL files, a fifth of it held out."""
    from searches import write_corpus

    return write_corpus(tmp_path_factory.mktemp("corpus"), real_text)


@pytest.fixture(scope="session")
def search(tmp_path_factory: pytest.TempPathFactory, sharp_roberta: Path, corpus: CorpusFacts) -> DataTask:
    """The data task of a small search whose folder is complete. Read it only."""
    from searches import data_task, fill

    task = data_task(tmp_path_factory.mktemp("search") / "data", sharp_roberta, corpus)
    fill(task)
    return task


@pytest.fixture(scope="session")
def ray_backend() -> Iterator[RayBackend]:
    """Two workers of one core: one cluster for all tests that need no other."""
    from workers.ray_start import start_ray_backend

    backend = start_ray_backend(WorkersSpec(count=2, cpus=1))
    yield backend
    backend.close()
