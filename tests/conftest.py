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
from pathlib import Path

import pytest

from ose.data.docstrings import docstrings_of

TINY_SHAPE = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
_MODULES = (argparse, asyncio.base_events, email.message, inspect, json, logging, textwrap, unittest.case)


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
