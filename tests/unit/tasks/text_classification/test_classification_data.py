import torch
from classifiers import items

from ose.data.search_spans import Span
from ose.tasks.text_classification.answers import answers_of
from ose.tasks.text_classification.classification_data import ClassificationData, on_device


def data(kind: str = "single_label", width: int = 3, **changes: object) -> ClassificationData:
    logits = torch.randn(20, width, generator=torch.Generator().manual_seed(0))
    held_out = items("bert", 8)
    values = {"train": items("bert", 20), "answers": answers_of(logits, kind), "held_out": held_out}
    return ClassificationData(**{**values, "held_out_logits": 3 * logits[:8], "kind": kind, **changes})


def test_differences_are_told_in_the_variance_of_the_held_out_answers() -> None:
    assert data("one_logit", 1).variance == float(data("one_logit", 1).held_out_logits.double().var())
    assert data().variance == 1


def test_rows_of_a_step_come_from_its_span() -> None:
    spans = (Span(0, 0), Span(2, 12))
    rows = data(spans=spans).batch_rows(4, 4)
    assert rows[:2].max() < 12 <= rows[2:].min()


def test_all_of_it_is_moved_or_nothing() -> None:
    here, meta = data(), torch.device("meta")
    assert on_device(here, torch.device("cpu")) is here
    there = on_device(here, meta)
    moved = (there.answers, there.held_out_logits, there.train.input_ids, there.held_out.lengths)
    assert {each.device for each in moved} == {meta} and on_device(there, meta) is there
