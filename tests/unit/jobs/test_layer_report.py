"""What is said of subsets that were trained, given their losses sequence by sequence."""

from __future__ import annotations

import math

import builders
import pytest

from ose.core.job import Candidate, CandidateStatus, Job, JobStatus
from ose.core.layer_choice import LayerRule
from ose.core.layer_subsets import Subset, SubsetScore
from ose.core.spec import SearchSpec
from ose.jobs.layer_report import LayerReport, layer_report

HARDNESS = (2.0, 4.0, 3.0, 5.0)
RULES: dict[Subset, tuple[LayerRule, ...]] = {
    (0, 3): ("distilbert",),
    (1, 3): ("even", "elimination"),
    (0, 2): ("alternate",),
    (0, 1): ("bottom",),
    (2, 3): ("top",),
}


def trained(number: int, layers: Subset, above: tuple[float, ...]) -> Candidate:
    """A candidate whose loss lies `above` each sequence's hardness."""
    losses = tuple(hardness + more for hardness, more in zip(HARDNESS, above, strict=True))
    evaluation = builders.evaluation(sum(losses) / 4, sequence_losses_nats=losses, teacher_layers=layers)
    return Candidate(
        id=number,
        job_id="job-1",
        number=number,
        status=CandidateStatus.SUCCEEDED,
        architecture=builders.architecture(2),
        hyperparameters=SearchSpec().hyperparameters[0],
        num_steps=20,
        num_parameters=1,
        num_encoder_parameters=1,
        flops=1,
        layers=layers,
        evaluation=evaluation,
    )


def report(*candidates: Candidate, **zero_shot: float) -> LayerReport:
    """Of a teacher of four layers; `zero_shot` has losses by layers, as in l12=5.0, and what rules keep has some."""
    new = builders.new_job("job-1", spec=builders.job_spec(name="tiny-layers-2", search=SearchSpec(steps=20)))
    job = Job(
        id=new.id,
        status=JobStatus.SUCCEEDED,
        spec=new.spec,
        spec_hash="",
        teacher=new.teacher,
        corpus=new.corpus,
        created_at=builders.NOW,
    )
    losses = dict.fromkeys(RULES, 9.0) | {tuple(map(int, name[1:])): loss for name, loss in zero_shot.items()}
    scores = [
        SubsetScore(layers=layers, loss_nats=loss, loss_stderr_nats=0.1, rules=RULES.get(layers, ()))
        for layers, loss in losses.items()
    ]
    return layer_report(job, candidates, scores)


def test_rows_are_ranked_by_loss_with_paired_differences() -> None:
    found = report(trained(1, (0, 3), (1, 1, 1, 1)), trained(2, (1, 2), (0.5, 0.5, 0.3, 0.3)), l03=6.0, l12=5.0)
    assert [(row.rank, row.layers, row.rules, row.candidate) for row in found.rows] == [
        (1, (1, 2), (), 2),
        (2, (0, 3), ("distilbert",), 1),
    ]
    assert found.rows[1].difference_nats == pytest.approx(0.6)
    assert found.rows[1].difference_stderr_nats == pytest.approx(math.sqrt(4 * 0.01 / 3 / 4))
    assert (found.best.difference_nats, found.best.difference_stderr_nats) == (0.0, 0.0)
    assert [row.zero_shot_loss_nats for row in found.rows] == [5.0, 6.0]
    assert (found.spread.mean_nats, found.kendall_tau) == (found.rows[1].difference_nats, 1.0)
    assert (found.keep, found.num_teacher_layers, found.num_steps) == (2, 4, 20)


def test_a_clear_lead_over_the_rules_is_said() -> None:
    found = report(trained(1, (0, 3), (1, 1, 1.1, 1)), trained(2, (1, 2), (0.5, 0.5, 0.5, 0.5)))
    told = found.conclusions()
    assert told[0].startswith("The choice is worth 0.525 ± 0.025 nats: so far apart are best and worst of these 2")
    assert told[1] == "[1, 2] beats the best rule, distilbert [0, 3], by 0.525 ± 0.025 nats."
    assert told[-1] == "In the job file: search: {inheritance: {layers: [1, 2]}}"


def test_a_lead_within_the_noise_is_none() -> None:
    found = report(trained(1, (0, 3), (1, 1, 1, 1)), trained(2, (1, 2), (0, 2, 0, 1.9)))
    assert "[1, 2] is no worse than the best rule, distilbert [0, 3]:" in found.conclusions()[1]


def test_a_rule_may_be_the_best() -> None:
    found = report(trained(1, (0, 3), (1, 1, 1, 1)), trained(2, (1, 2), (2, 2, 2, 2)))
    assert found.best_rule == found.best
    assert found.best_rule_minus_best is not None and found.best_rule_minus_best.mean_nats == 0.0
    assert found.conclusions()[1] == "No subset beats the best rule's, distilbert [0, 3]."


def test_all_rules_that_keep_a_subset_are_told() -> None:
    found = report(trained(1, (1, 3), (1, 1, 1, 1)), trained(2, (1, 2), (2, 2, 2, 2)))
    assert [row.rules for row in found.rows] == [("even", "elimination"), ()]
    assert found.conclusions()[1] == "No subset beats the best rule's, even and elimination [1, 3]."


def test_what_failed_is_left_out_and_what_was_not_scored_says_so() -> None:
    failed = Candidate(
        **{
            **{name: getattr(trained(9, (0, 1), (0, 0, 0, 0)), name) for name in Candidate.__dataclass_fields__},
            "evaluation": None,
            "status": CandidateStatus.FAILED,
        }
    )
    found = report(failed, trained(1, (1, 2), (1, 1, 1, 1)))
    assert [row.layers for row in found.rows] == [(1, 2)]
    assert found.best.zero_shot_loss_nats is None
    assert found.conclusions()[1] == "No rule's subset could be trained."
    assert math.isnan(found.kendall_tau)
