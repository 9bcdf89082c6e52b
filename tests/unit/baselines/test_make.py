"""Linear models of a real search. Tests ose/baselines/bag_of_words.py and ose/baselines/static_embedding.py too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from classifiers import put_labelled
from searches import data_task, targets_tasks

from ose.baselines.bag_of_words import BagOfWords
from ose.baselines.make import make_reference
from ose.baselines.static_embedding import StaticEmbedding, teacher_states
from ose.baselines.texts import texts_of
from ose.core.measurement import LatencyProtocol
from ose.core.messages import ReferenceRequest
from ose.core.reference import BAG_OF_WORDS, STATIC_EMBEDDING
from ose.errors import CorpusError
from ose.tasks.registry import load_task

TASK = load_task("text_classification")


@pytest.fixture(scope="module")
def request_of(tmp_path_factory: pytest.TempPathFactory, tiny_classifier: Path, real_text: list[str]) -> Any:
    """Makes requests for a search whose folder is complete."""
    folder = tmp_path_factory.mktemp("references")
    spec, corpus = put_labelled(folder, real_text)
    data = data_task(folder / "data", tiny_classifier, corpus, corpus_spec=spec)
    summary, teacher = TASK.prepare(data), TASK.load_teacher(tiny_classifier)
    for each in targets_tasks(data, summary.num_sequences):
        TASK.compute_targets(each, teacher)

    def make(name: str, **changes: Any) -> ReferenceRequest:
        values = {"learns": "labels", "is_pair": False, "num_steps": 4, "batch_size": 8, "later_data": ()}
        protocol = LatencyProtocol(sequence_length=16, seconds_per_shape=0.01)
        known = {"id": "reference", "folder": data.folder, "teacher": data.teacher, "protocol": protocol}
        return ReferenceRequest(name=name, **{**known, **values, **changes})

    return make


@pytest.fixture(scope="module")
def teacher(tiny_classifier: Path) -> Any:
    return TASK.load_teacher(tiny_classifier)


def _data(request: ReferenceRequest) -> Any:
    return TASK.load_data(Path(request.folder))


@pytest.mark.slow
@pytest.mark.parametrize("name", [BAG_OF_WORDS, STATIC_EMBEDDING])
@pytest.mark.parametrize("learns", ["labels", "teacher"])
def test_it_is_judged_on_the_held_out_items_and_timed(name: str, learns: str, request_of: Any, teacher: Any) -> None:
    request = request_of(name, learns=learns)
    found = make_reference(request, teacher, _data(request))
    assert (found.name, found.learns, found.architecture, found.num_steps) == (name, learns, None, None)
    assert {"accuracy", "agreement"} <= set(found.metrics)
    assert found.loss_nats is not None and 0 < found.loss_nats < 20
    assert found.num_parameters is not None and found.num_parameters > 16
    assert found.latency is not None and found.latency.p50_ms > 0 and found.latency.ratio is None
    assert found.latency.fingerprint.runtime.split()[0] in ("numpy", "scikit-learn")


@pytest.mark.slow
@pytest.mark.parametrize("name", [BAG_OF_WORDS, STATIC_EMBEDDING])
def test_the_same_items_give_the_same_model_and_more_items_another(name: str, request_of: Any, teacher: Any) -> None:
    losses = []
    for steps in (2, 2, 4):
        request = request_of(name, num_steps=steps)
        losses.append(make_reference(request, teacher, _data(request)).loss_nats)
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.slow
def test_the_bag_of_words_learns_what_a_bracket_is_from_the_labels(request_of: Any, teacher: Any) -> None:
    """It does not see brackets, but words that stand beside them; the teacher knows nothing of either."""
    request = request_of(BAG_OF_WORDS, num_steps=8)
    found = make_reference(request, teacher, _data(request)).metrics["accuracy"].value
    by_teacher = replace(request, learns="teacher")
    assert found > make_reference(by_teacher, teacher, _data(request)).metrics["accuracy"].value


def test_labels_that_are_not_there_are_refused(request_of: Any, teacher: Any) -> None:
    request = request_of(BAG_OF_WORDS)
    data = _data(request)
    with pytest.raises(CorpusError, match="no labels"):
        make_reference(request, teacher, replace(data, train=replace(data.train, labels=None)))


def test_a_bag_begins_with_words_and_forgets_their_order(tiny_classifier: Path) -> None:
    tokenizer = TASK.load_tokenizer(tiny_classifier)
    texts = [(np.array(tokenizer(text, add_special_tokens=False).input_ids),) for text in ("for x in y", "in y for x")]
    bag = BagOfWords(texts, tokenizer)
    words = bag.read(texts)
    assert [word.strip() for [word] in words] == ["for x in y", "in y for x"]
    single = bag.features([("x",), ("y",), ("x",)]).toarray()
    assert (single[0] == single[2]).all() and (single[0] != single[1]).any()


def test_a_token_has_the_teachers_state_of_it_alone(request_of: Any, teacher: Any) -> None:
    data = _data(request_of(STATIC_EMBEDDING))
    states = teacher_states(TASK, teacher, data.train)
    first, last = data.train.input_ids[0, 0], data.train.input_ids[0, data.train.lengths[0] - 1]
    tokens = np.array([7, 11, 30])
    with torch.no_grad():
        for token, found in zip(tokens, states(tokens), strict=True):
            alone = torch.tensor([[first, token, last]])
            expected = teacher.base_model(input_ids=alone).last_hidden_state[0, 1]
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_frequent_tokens_count_less_and_order_does_not() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, 8)).astype(np.float32)
    texts = [(np.array([1, 1, 1, 1, 2]),), (np.array([1, 3, 4, 5, 1]),)]
    embedding = StaticEmbedding(texts, [(np.array([6]),)], lambda tokens: table[tokens], 50)
    both, turned, rare = embedding.features([(np.array(ids),) for ids in ([1, 2], [2, 1], [2])])
    np.testing.assert_allclose(both, turned, atol=1e-6)
    assert both @ rare > 0.9 * (rare @ rare), "the rare token decides"
    assert np.linalg.norm(both) == pytest.approx(len(both) ** 0.5, rel=1e-5)
    assert (embedding.features([(np.array([], dtype=int),)]) == 0).all()
    assert embedding.num_parameters == 50 * both.size


def test_items_of_a_search_have_texts_of_the_corpus(request_of: Any, tiny_classifier: Path, real_text: list) -> None:
    data, tokenizer = _data(request_of(BAG_OF_WORDS)), TASK.load_tokenizer(tiny_classifier)
    texts = texts_of(data.train, slice(5), set(tokenizer.all_special_ids), is_pair=False)
    lines = " ".join("\n".join(real_text).split())
    assert all(" ".join(tokenizer.decode(ids).split())[:20] in lines for (ids,) in texts)
