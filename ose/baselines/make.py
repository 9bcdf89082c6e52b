"""Fit a linear model to the items of a search, judge it as a student is judged, and time it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ose.baselines.bag_of_words import BagOfWords
from ose.baselines.linear_model import Features, LinearModel, fit
from ose.baselines.static_embedding import StaticEmbedding, teacher_states
from ose.baselines.texts import Text, long_text, texts_of
from ose.core.measurement import DeviceFingerprint, LatencyMeasurement
from ose.core.messages import ReferenceRequest
from ose.core.reference import BAG_OF_WORDS, Reference
from ose.latency.fingerprint import device_fingerprint
from ose.latency.measure import time_call
from ose.runtimes.registry import runtime_package, runtime_rules
from ose.tasks.base import AnsweredTexts, Task
from ose.tasks.registry import load_task


class Reader(Protocol):
    """Makes features of texts.

    Attributes:
        strength: How far its features may be followed: scikit-learn's C.
        library: What computes them.
    """

    strength: float
    library: str

    @property
    def num_parameters(self) -> int:
        """Of its own."""

    def read(self, texts: Sequence[Text]) -> Sequence[Any]:
        """Texts as its latency begins with them."""

    def features(self, texts: Sequence[Any]) -> Features:
        """(N, F), of what `read` gives."""


def make_reference(request: ReferenceRequest, teacher: PreTrainedModel, data: AnsweredTexts) -> Reference:
    """The reference row that is asked for.

    Raises:
        CorpusError: Labels are to be learnt, and there are none.
        TeacherError: The tokenizer cannot be loaded.
    """
    task = load_task(request.teacher.task)
    assert task.references is not None
    learnt: AnsweredTexts = task.references.labelled(data) if request.learns == "labels" else data
    rows = learnt.batch_rows(request.num_steps, request.batch_size).unique()
    tokenizer = task.load_tokenizer(request.teacher.path, request.teacher.digest)
    special_ids = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    train = texts_of(data.train, rows.to(learnt.answers.device), special_ids, is_pair=request.is_pair)
    held_out = texts_of(data.held_out, slice(None), special_ids, is_pair=request.is_pair)
    reader = _reader(request, task, teacher, tokenizer, data, train, held_out)
    answers = learnt.answers[rows.to(learnt.answers.device)].double().cpu().numpy()
    model = fit(reader.features(reader.read(train)), answers, reader.strength)
    found = torch.from_numpy(model.answers(reader.features(reader.read(held_out)))).float()
    quality = task.references.quality_of(found, data)
    return Reference(
        name=request.name,
        learns=request.learns,
        num_parameters=reader.num_parameters + model.num_parameters,
        latency=_latency(request, reader, model, long_text(held_out, request.protocol.num_tokens)),
        loss_nats=quality.loss_nats,
        loss_stderr_nats=quality.loss_stderr_nats,
        metrics=quality.metrics,
    )


def _reader(
    request: ReferenceRequest,
    task: Task,
    teacher: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    data: AnsweredTexts,
    train: Sequence[Text],
    held_out: Sequence[Text],
) -> Reader:
    if request.name == BAG_OF_WORDS:
        return BagOfWords(train, tokenizer)
    states = teacher_states(task, teacher, data.train)
    return StaticEmbedding(train, held_out, states, request.teacher.embedding.vocab_size)


def _latency(request: ReferenceRequest, reader: Reader, model: LinearModel, text: Text) -> LatencyMeasurement:
    """Of a text as long as the one that transformers are timed on."""
    protocol = request.protocol
    timed = reader.read([text] * protocol.batch_size)
    with _threads(protocol.threads):
        return time_call(lambda: model.answers(reader.features(timed)), protocol, _this_machine(reader.library))


def _this_machine(library: str) -> DeviceFingerprint:
    """The worker's CPU."""
    return replace(device_fingerprint(runtime_rules(runtime_package("torch"))), runtime=library)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """As many as the latency's process has."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
