"""How good models are on data that say what is right: figures of each, their spread, and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ose.core.job import CorpusFacts
from ose.core.measurement import Metric, mean_and_stderr
from ose.core.spec import CorpusSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationQuestion:
    """Judge models on all items of a corpus.

    Attributes:
        models: Directories; those after the first are compared with it.
        corpus: Its `validation` is read.
        corpus_spec: With the columns and the sequence length.
        teacher: A directory whose answers they are held against, too.
        device: Where they run.
    """

    models: tuple[str, ...]
    corpus: CorpusFacts
    corpus_spec: CorpusSpec
    teacher: str | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """One label in the answers of a model.

    Attributes:
        num_items: Items that have it.
        recall: Of these, the share that the model gives it to; None if there are none.
        precision: Of the items to which the model gives it, the share that have it; None likewise.
    """

    label: str
    num_items: int
    recall: Metric | None
    precision: Metric | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipReport:
    """What a model makes of the items to which the teacher gives one label.

    Attributes:
        num_items: Items to which the teacher gives it.
        share: Of these, those to which the model gives another.
        most_often: The label that most of them are given instead; None if none is flipped.
    """

    label: str
    num_items: int
    num_flipped: int
    share: Metric
    most_often: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """One model.

    Attributes:
        metrics: By name, the headline first.
        differences: The same less those of the first model, with errors of the difference in pairs; empty of the first.
        labels: Each label, where there are labels.
        flips: By the teacher's label, where there is a teacher.
        lost: Items that the first model has right and this one has not, where the headline counts such items.
        gained: The reverse.
    """

    model: str
    metrics: Mapping[str, Metric]
    differences: Mapping[str, Metric]
    labels: tuple[LabelReport, ...] = ()
    flips: tuple[FlipReport, ...] = ()
    lost: int | None = None
    gained: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A metric over several models, as of several seeds.

    Attributes:
        stdev: Their standard deviation (n - 1).
    """

    mean: float
    stdev: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """All models on the same items.

    Attributes:
        num_items: Items, or sequences.
        sequence_length: Tokens of an item at most.
        share_cut: Of the items, those that were longer.
        labels_without_example: Labels of the models that no item has.
    """

    task: str
    num_items: int
    sequence_length: int
    share_cut: float
    labels_without_example: tuple[str, ...]
    models: tuple[ModelReport, ...]

    @property
    def spread(self) -> dict[str, Spread]:
        """Over the models; empty of one."""
        return spreads([each.metrics for each in self.models])

    def to_json(self) -> dict[str, Any]:
        """As plain values, with the spread."""
        return {**asdict(self), "spread": {name: asdict(each) for name, each in self.spread.items()}}


def spreads(metrics: Sequence[Mapping[str, Metric]]) -> dict[str, Spread]:
    """Mean and standard deviation of each metric over several models; empty of one."""
    if len(metrics) < 2:
        return {}
    found = {}
    for name in metrics[0]:
        mean, stderr = mean_and_stderr([each[name].value for each in metrics])
        found[name] = Spread(mean=mean, stdev=stderr * len(metrics) ** 0.5)
    return found
