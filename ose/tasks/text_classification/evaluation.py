"""Judge classifiers by the labels of a corpus, and by a teacher's answers to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ose.core.measurement import LabelFlips, Metric
from ose.core.model_report import EvaluationQuestion, EvaluationReport, FlipReport, LabelReport, ModelReport
from ose.data.row_sides import iter_side
from ose.data.tables import Row
from ose.errors import CorpusError, InvalidInputError, TeacherError
from ose.tasks.text_classification.answers import answers_of, distances, variance_of
from ose.tasks.text_classification.differences import Figures, differences
from ose.tasks.text_classification.encoding import encoded_rows
from ose.tasks.text_classification.flips import flips_beside
from ose.tasks.text_classification.forward import all_logits
from ose.tasks.text_classification.head_labels import HeadLabels, head_labels
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.label_metrics import one_hot
from ose.tasks.text_classification.label_scores import label_figures, scored_by_labels, truths_of
from ose.tasks.text_classification.labelled_data import has_token_types
from ose.tasks.text_classification.labels import labels_without_example, read_labels, require_different_labels
from ose.tasks.text_classification.metrics import metrics_of, said_labels
from ose.tasks.text_classification.resampling import Floats, mean_metric
from ose.tasks.text_classification.teacher import kind_of_model, load_classifier, load_tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A classifier and what it says of the items.

    Attributes:
        items: As its own tokenizer has them, with labels in its own ids.
        logits: (N, L).
        problem_type: As its configuration says.
    """

    place: str
    head: HeadLabels
    items: TextItems
    logits: NDArray[Any]
    share_cut: float
    problem_type: str | None

    @property
    def kind(self) -> Kind:
        """What the outputs mean."""
        return self.head.kind


def evaluate(question: EvaluationQuestion) -> EvaluationReport:
    """See `ose.tasks.base.Task`."""
    if question.corpus_spec.columns.label is None and question.teacher is None:
        raise InvalidInputError("a classifier is judged by labels, or by a teacher: name a column with --label")
    rows = list(iter_side(question.corpus, question.corpus_spec, "validation"))
    if not rows:
        raise CorpusError("the data have no row")
    models = [_judged(place, question, rows) for place in question.models]
    first = models[0]
    for other in models[1:]:
        _require_comparable(first, other)
    _require_labels_that_differ(first)
    teacher = None if question.teacher is None else _teacher(question.teacher, question, rows, models)
    figures = None if first.items.labels is None else _figures(first)
    return EvaluationReport(
        task="text_classification",
        num_items=len(rows),
        sequence_length=question.corpus_spec.sequence_length,
        share_cut=first.share_cut,
        labels_without_example=_without_example(first),
        models=tuple(_report(each, teacher, None if each is first else figures) for each in models),
    )


def _judged(place: str, question: EvaluationQuestion, rows: Sequence[Row]) -> Judged:
    spec, model = question.corpus_spec, load_classifier(place).to(torch.device(question.device))  # type: ignore[arg-type] # transformers wraps it
    head = head_labels(model.config.to_dict(), kind_of_model(model))
    has_labels = spec.columns.label is not None
    labels = torch.from_numpy(read_labels(head, [(row.place, row.label) for row in rows])) if has_labels else None
    encoded = encoded_rows(rows, load_tokenizer(place), spec.sequence_length, has_token_types=has_token_types(place))
    items = replace(encoded.items, labels=labels)
    return Judged(
        place=place,
        head=head,
        items=items,
        logits=all_logits(model, items).cpu().double().numpy(),
        share_cut=encoded.share_cut,
        problem_type=model.config.problem_type,
    )


def _teacher(place: str, question: EvaluationQuestion, rows: Sequence[Row], models: Sequence[Judged]) -> Judged:
    """It is run once, also where it is among the models."""
    return next((each for each in models if each.place == place), None) or _judged(place, question, rows)


def _report(model: Judged, teacher: Judged | None, first: Figures | None) -> ModelReport:
    metrics: dict[str, Metric] = {}
    if model.items.labels is not None:
        metrics |= scored_by_labels(model.kind, model.logits, model.items, model.problem_type)
    found: tuple[LabelFlips, ...] = ()
    if teacher is not None:
        expected = _in_order_of(model, teacher)
        metrics |= _beside_teacher(model, expected)
        found = flips_beside(model.kind, model.logits, expected)
    return ModelReport(
        model=model.place,
        metrics=metrics,
        differences={} if first is None else differences(_figures(model), first, len(model.logits)),
        labels=_labels(model),
        flips=tuple(_flip(each, model.head.names) for each in found),
        **({} if first is None else _changed(next(iter(metrics)), _figures(model), first)),
    )


def _changed(headline: str, ours: Figures, firsts: Figures) -> dict[str, int]:
    """On how many items the first model is right and this one wrong, and the reverse."""
    if headline != "accuracy":
        return {}
    change = ours.values[headline] - firsts.values[headline]
    return {"lost": int((change < 0).sum()), "gained": int((change > 0).sum())}


def _beside_teacher(model: Judged, expected: NDArray[Any]) -> dict[str, Metric]:
    truths = replace(truths_of(model.items, teacher_scores=expected), labels=None)
    found = metrics_of(model.kind, model.logits, truths)
    theirs, ours = (answers_of(torch.from_numpy(each), model.kind) for each in (expected, model.logits))
    away = distances(theirs, ours, variance_of(theirs)) - distances(theirs, theirs, variance_of(theirs))
    name = "teacher_squared_error" if model.kind == "one_logit" else "divergence_nats"
    return {**found, name: mean_metric(away.double().numpy())}


def _figures(model: Judged) -> Figures:
    return label_figures(model.kind, model.logits, model.items, model.problem_type)


def _in_order_of(model: Judged, teacher: Judged) -> NDArray[Any]:
    """The teacher's logits in the order of the model's labels, of which heads may have different ones."""
    _require_comparable(model, teacher)
    if model.kind == "one_logit":
        return teacher.logits
    places = {name: place for place, name in enumerate(teacher.head.names)}
    return teacher.logits[:, [places[name] for name in model.head.names]]


def _require_comparable(first: Judged, other: Judged) -> None:
    if first.kind != other.kind:
        raise TeacherError(f"{other.place} is of the kind {other.kind}, {first.place} of {first.kind}")
    strange = set(first.head.names) ^ set(other.head.names)
    if strange and first.kind != "one_logit":
        raise TeacherError(f"{other.place} has other labels than {first.place}: only one of them has {min(strange)!r}")


def _require_labels_that_differ(model: Judged) -> None:
    if model.items.labels is not None:
        queries = None if model.items.queries is None else model.items.queries.numpy()
        require_different_labels(model.head, model.items.labels.numpy(), queries)


def _without_example(model: Judged) -> tuple[str, ...]:
    return () if model.items.labels is None else labels_without_example(model.head, model.items.labels.numpy())


def _labels(model: Judged) -> tuple[LabelReport, ...]:
    """Recall and precision of each label."""
    if model.items.labels is None or model.kind == "one_logit":
        return ()
    labels, count = model.items.labels.numpy(), model.head.num_labels
    is_one = model.kind == "single_label"
    true = one_hot(labels, count) if is_one else labels.astype(np.float64)
    said = one_hot(model.logits.argmax(axis=1), count) if is_one else said_labels(model.logits).astype(np.float64)
    return tuple(
        LabelReport(
            label=name,
            num_items=int(true[:, index].sum()),
            recall=_share_among(said[:, index], true[:, index]),
            precision=_share_among(true[:, index], said[:, index]),
        )
        for index, name in enumerate(model.head.names)
    )


def _share_among(has: Floats, among: Floats) -> Metric | None:
    return mean_metric(has[among > 0]) if among.any() else None


def _flip(flip: LabelFlips, names: Sequence[str]) -> FlipReport:
    return FlipReport(
        label=names[flip.label],
        num_items=flip.num_items,
        num_flipped=flip.num_flipped,
        share=flip.share,
        most_often=None if flip.most_often is None else names[flip.most_often],
    )
