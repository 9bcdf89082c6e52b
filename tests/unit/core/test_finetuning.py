"""Covers ose/core/model_report.py."""

import statistics
from dataclasses import asdict

import pytest

from ose.core.finetuning import FinetuningReport, FinetuningSpec, HeadRequest, TunedModel
from ose.core.measurement import Metric
from ose.core.model_report import EvaluationReport, ModelReport
from ose.errors import InvalidInputError


def tuned(seed: int, accuracy: float) -> TunedModel:
    metrics = {"accuracy": Metric(value=accuracy, stderr=0.01), "loss_nats": Metric(value=1 - accuracy, stderr=None)}
    return TunedModel(seed=seed, num_steps=3, wall_time_s=1.5, metrics=metrics)


def report(*models: TunedModel) -> FinetuningReport:
    return FinetuningReport(
        problem_type="single_label_classification",
        labels=("no", "yes"),
        num_train=9,
        num_validation=5,
        sequence_length=16,
        share_cut=0.1,
        overlap_share=0.0,
        labels_without_example=(),
        models=models,
    )


def test_steps_are_those_asked_for_or_follow_from_the_epochs() -> None:
    assert FinetuningSpec(epochs=3, batch_size=32).num_steps(100) == 10
    assert FinetuningSpec(epochs=0.001, batch_size=32).num_steps(10) == 1
    assert FinetuningSpec(epochs=3, steps=7).num_steps(100) == 7


@pytest.mark.parametrize("changes", [{"steps": 0}, {"learning_rate": -1}, {"warmup_fraction": 1.0}, {"batch_size": 0}])
def test_a_recipe_without_sense_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        FinetuningSpec(**changes)


@pytest.mark.parametrize("labels", [("a", "a"), ("a", " ")])
def test_names_of_labels_differ_and_are_not_empty(labels: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="different names"):
        HeadRequest(labels=labels)


def test_the_best_has_the_most_of_the_first_metric_and_the_spread_is_that_of_samples() -> None:
    found = report(tuned(0, 0.7), tuned(1, 0.9), tuned(2, 0.9))
    assert found.best.seed == 1
    assert found.spread["accuracy"].stdev == pytest.approx(statistics.stdev([0.7, 0.9, 0.9]))
    assert found.spread["accuracy"].mean == pytest.approx(0.8333333333)
    assert report(tuned(0, 0.7)).spread == {}


def test_a_report_is_read_back_as_it_was() -> None:
    found = report(tuned(0, 0.7), tuned(4, 0.9))
    assert found.to_json()["best_seed"] == 4
    assert FinetuningReport.from_json(found.to_json()) == found


def test_a_table_of_models_has_their_spread() -> None:
    models = tuple(
        ModelReport(model=str(seed), metrics=tuned(seed, 0.5 + seed / 10).metrics, differences={}) for seed in (0, 1)
    )
    found = EvaluationReport(
        task="text_classification",
        num_items=5,
        sequence_length=16,
        share_cut=0,
        labels_without_example=(),
        models=models,
    )
    assert found.to_json()["spread"]["accuracy"]["mean"] == pytest.approx(0.55)
    assert found.to_json()["models"][0]["metrics"]["accuracy"] == asdict(Metric(value=0.5, stderr=0.01))
