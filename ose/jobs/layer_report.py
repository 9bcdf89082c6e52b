"""What a comparison of layer subsets found: its rows, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ose.core.job import Candidate, Job
from ose.core.kendall import kendall_tau
from ose.core.layer_subsets import Subset, SubsetScore
from ose.core.measurement import Evaluation
from ose.core.significance import PairedDifference, paired_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """One subset that was trained. Its fields are the JSON names.

    Attributes:
        rank: By loss.
        layers: The teacher's layers, counted from 0.
        rules: Which rules keep them.
        candidate: Its number in the job.
        zero_shot_loss_nats: Before any training, as the student starts, on a part of the held-out targets.
        loss_nats: After the training.
        difference_nats: Its loss minus the best one's, paired by sequence; 0 of the best.
    """

    rank: int
    layers: Subset
    rules: tuple[str, ...]
    candidate: int
    zero_shot_loss_nats: float | None
    zero_shot_loss_stderr_nats: float | None
    loss_nats: float
    loss_stderr_nats: float
    difference_nats: float
    difference_stderr_nats: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """Subsets of one size, compared.

    Attributes:
        job: Id and name of the search job that trained them.
        num_teacher_layers: L.
        keep: Size of the subsets.
        num_steps: Each was trained for.
        rows: What was trained, best first.
        spread: Worst minus best.
        best_rule: The best of what rules keep; None if none of that could be trained.
        best_rule_minus_best: Of the losses; zero if a rule keeps the best.
        kendall_tau: Agreement of the orders before and after training.
        scores: Everything that was scored without training.
    """

    job: dict[str, str]
    num_teacher_layers: int
    keep: int
    num_steps: int
    rows: tuple[LayerRow, ...]
    spread: PairedDifference
    best_rule: LayerRow | None
    best_rule_minus_best: PairedDifference | None
    kendall_tau: float
    scores: tuple[SubsetScore, ...]

    @property
    def best(self) -> LayerRow:
        """The subset to keep."""
        return self.rows[0]

    def to_json(self) -> dict[str, Any]:
        """Plain values under the JSON names."""
        return asdict(self)

    def conclusions(self) -> list[str]:
        """What the rows say, one sentence each."""
        return [
            f"The choice is worth {_signed(self.spread)} nats: so far apart are best and worst of these "
            f"{len(self.rows)} after {self.num_steps} steps.",
            self._against_the_rules(),
            f"Order before and after training: Kendall's tau {self.kendall_tau:.2f}.",
            f"In the job file: search: {{inheritance: {{layers: {list(self.best.layers)}}}}}",
        ]

    def _against_the_rules(self) -> str:
        if self.best_rule is None or self.best_rule_minus_best is None:
            return "No rule's subset could be trained."
        rule = f"{' and '.join(self.best_rule.rules)} {list(self.best_rule.layers)}"
        if self.best_rule is self.best:
            return f"No subset beats the best rule's, {rule}."
        difference = self.best_rule_minus_best
        if difference.is_significant:
            return f"{list(self.best.layers)} beats the best rule, {rule}, by {_signed(difference)} nats."
        return (
            f"{list(self.best.layers)} is no worse than the best rule, {rule}: "
            f"{_signed(difference)} nats lower, within the noise."
        )


def layer_report(job: Job, candidates: Sequence[Candidate], scores: Sequence[SubsetScore]) -> LayerReport:
    """Compare the subsets that a job trained.

    Args:
        job: A job whose members differ in layers alone.
        candidates: At least one of them was trained; those that failed are left out.
        scores: What was found without training, and which rules keep it.
    """
    depth = job.teacher.architecture.num_hidden_layers
    trained = _by_loss(candidates)
    evaluations = [_evaluation(candidate) for candidate in trained]
    differences = [_difference(each, evaluations[0]) for each in evaluations]
    zero_shot = {score.layers: score for score in scores}  # of two scores the later one: refitted
    rows = tuple(
        _row(rank, candidate, zero_shot, difference)
        for rank, (candidate, difference) in enumerate(zip(trained, differences, strict=True), start=1)
    )
    best_rule = next((row for row in rows if row.rules), None)
    known = [row for row in rows if row.zero_shot_loss_nats is not None]
    return LayerReport(
        job={"id": job.id, "name": job.name},
        num_teacher_layers=depth,
        keep=trained[0].architecture.num_hidden_layers,
        num_steps=job.spec.search.steps,
        rows=rows,
        spread=differences[-1],
        best_rule=best_rule,
        best_rule_minus_best=differences[best_rule.rank - 1] if best_rule else None,
        kendall_tau=kendall_tau([row.zero_shot_loss_nats or 0.0 for row in known], [row.loss_nats for row in known]),
        scores=tuple(scores),
    )


def _by_loss(candidates: Sequence[Candidate]) -> list[Candidate]:
    trained = [candidate for candidate in candidates if candidate.evaluation is not None]
    return sorted(trained, key=lambda candidate: (_evaluation(candidate).loss_nats, candidate.number))


def _row(
    rank: int,
    candidate: Candidate,
    zero_shot: dict[Subset, SubsetScore],
    difference: PairedDifference,
) -> LayerRow:
    layers, evaluation = _layers(candidate), _evaluation(candidate)
    before = zero_shot.get(layers)
    return LayerRow(
        rank=rank,
        layers=layers,
        rules=before.rules if before else (),
        candidate=candidate.number,
        zero_shot_loss_nats=before.loss_nats if before else None,
        zero_shot_loss_stderr_nats=before.loss_stderr_nats if before else None,
        loss_nats=evaluation.loss_nats,
        loss_stderr_nats=evaluation.loss_stderr_nats,
        difference_nats=difference.mean_nats,
        difference_stderr_nats=difference.stderr_nats,
    )


def _layers(candidate: Candidate) -> Subset:
    kept = _evaluation(candidate).teacher_layers
    assert kept is not None
    return kept


def _evaluation(candidate: Candidate) -> Evaluation:
    assert candidate.evaluation is not None
    return candidate.evaluation


def _difference(evaluation: Evaluation, best: Evaluation) -> PairedDifference:
    return paired_difference(evaluation.sequence_losses_nats, best.sequence_losses_nats)


def _signed(difference: PairedDifference) -> str:
    return f"{difference.mean_nats:.3f} ± {difference.stderr_nats:.3f}"
