"""What `gpu.py` has measured, for people to read."""

from __future__ import annotations

from typing import Any

from ose.core.measurement import Evaluation, LatencyMeasurement
from ose.core.messages import EvaluationRequest
from ose.core.score import Measures, ScoreRule, score
from ose.families.counts import counts_of

TARGET_SHARE, TARGET_S = 0.4, 300.0


def member_row(
    task: EvaluationRequest, outcome: Evaluation | Exception, latency: LatencyMeasurement | Exception, teacher: Measures
) -> dict[str, Any]:
    """One line of members.jsonl. Where something failed, `error` says what and there is no score."""
    parameters = counts_of(task.teacher).parameters(task.architecture).total
    failures = [f"{type(each).__name__}: {each}" for each in (outcome, latency) if isinstance(each, Exception)]
    row: dict[str, Any] = {
        "architecture": str(task.architecture),
        "num_parameters": parameters,
        "error": "; ".join(failures) or None,
    }
    if isinstance(latency, LatencyMeasurement):
        row |= {name: getattr(latency, name) for name in ("p10_ms", "p50_ms", "p90_ms", "is_flagged")}
    if isinstance(outcome, Evaluation):
        names = ("loss_nats", "loss_stderr_nats", "training_time_s", "wall_time_s", "training_losses_nats")
        row |= {name: getattr(outcome, name) for name in names}
    if isinstance(outcome, Evaluation) and isinstance(latency, LatencyMeasurement):
        student = Measures(
            num_parameters=parameters,
            latency_ms=latency.p50_ms,
            loss_nats=outcome.loss_nats,
            latency_stderr_ms=latency.p50_stderr_ms,
            loss_stderr_nats=outcome.loss_stderr_nats,
        )
        row["score"] = score(student, teacher, ScoreRule()).value
    return row


def summary(report: dict[str, Any]) -> str:
    """A dozen lines: times, shares of the card's rate, the best members."""
    stages, options, members = report["stages_s"], report["options"], report["members"]
    trained = [row for row in members if "loss_nats" in row]
    rate = sum(report["matrix_flops_per_s"]) / len(report["matrix_flops_per_s"])
    whole_s = sum(stages.values())
    lines = [
        f"{len(trained)} of {len(members)} members trained {options['steps']} steps of {options['batch_size']} x "
        f"{options['sequence_length']} tokens on {report['machine']['accelerator'] or 'a CPU'} "
        f"(torch {report['machine']['torch']}), {options['at_once']} at once, graphs: {options['graphs']}.",
        f"Wall time {whole_s:.1f} s (aim: {TARGET_S:.0f} s): "
        + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages.items())
        + ".",
        "Matrix rate, bfloat16: "
        + " before, ".join(f"{each / 1e12:.3g} TFLOP/s" for each in report["matrix_flops_per_s"])
        + " after.",
        f"Training needs {report['flops']:.3g} operations, {report['flops'] / rate:.3g} s at that rate: "
        f"{report['flops'] / rate / stages['search']:.1%} of the search stage (target: {TARGET_SHARE:.0%}), "
        f"{report['flops'] / rate / whole_s:.1%} of the wall time.",
    ]
    if memory := report["machine"]["peak_memory_bytes"]:
        lines.append(f"Peak of the card's memory: {memory / 1e9:.1f} GB.")
    lines += [f"Failed: {row['architecture']}: {row['error']}" for row in members if row["error"]]
    return "\n".join(lines) + "\n\n" + _table(_ranked(members)[:5])


def markdown(report: dict[str, Any]) -> str:
    """The summary, and all members by score."""
    teacher = report["teacher"]
    return (
        f"{summary(report)}\nTeacher: {teacher['num_parameters'] / 1e6:.0f} M parameters, "
        f"{teacher['latency_ms']:.2f} ms, its own entropy {teacher['loss_nats']:.3f} nats.\n\n"
        f"All members:\n\n{_table(_ranked(report['members']))}"
    )


def _ranked(members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(members, key=lambda row: row.get("score", -1.0), reverse=True)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| member | parameters, M | latency p50 (p10 to p90), ms | loss, nats | training, s | W |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        latency = f"{row['p50_ms']:.3f} ({row['p10_ms']:.3f} to {row['p90_ms']:.3f})" if "p50_ms" in row else "-"
        flag = " noisy" if row.get("is_flagged") else ""
        loss = f"{row['loss_nats']:.3f} ± {row['loss_stderr_nats']:.3f}" if "loss_nats" in row else "failed"
        training = f"{row['training_time_s']:.2f}" if "loss_nats" in row else "-"
        score = f"{row['score']:.4f}" if "score" in row else "-"
        lines.append(
            f"| {row['architecture']} | {row['num_parameters'] / 1e6:.1f} | {latency}{flag} | {loss} "
            f"| {training} | {score} |"
        )
    return "\n".join(lines) + "\n"
