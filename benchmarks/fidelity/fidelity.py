"""Is the student that a short search ranks first the best after full distillation? The measurements.

    python benchmarks/fidelity/fidelity.py job.yaml --home results/fidelity-home --output results/fidelity --final-steps 2000

All candidates of a job's space are searched at each number of steps from both initialisations, and each is trained fully
under one long budget, some with several seeds so that the noise of the truth is known. Everything is done by the verbs
that users have, and is done once: the same command goes on where it stopped. The truth is either a search of so many
steps, which asks the teacher once for all (`--truth search`), or a full distillation of each candidate, which is what
users do with the one they choose and takes several times as long (`--truth distill`). `--part 0/2` and `--part 1/2` share
the distillations between two processes; run the searches first (`--only searches`). Writes searches.csv and a truth
file, which `fidelity_report.py` reads.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import ose
from benchmarks.shared.tables import write_csv
from ose.core.job import Candidate, Job, JobStatus
from ose.inputs.job_file import parse_job
from ose.jobs.submit import spec_hash

INITIALIZATIONS = ("inherit", "random")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", type=Path, help="job file: teacher, text, space, latency and workers")
    parser.add_argument("--steps", type=int, nargs="+", default=[3, 10, 30, 100, 300], help="of the searches")
    parser.add_argument(
        "--truth", choices=("search", "distill"), default="distill", help="how candidates are trained fully"
    )
    parser.add_argument("--final-steps", type=int, default=2000, help="of each full training")
    parser.add_argument("--seeds", type=int, default=3, help="of the candidates whose noise is measured")
    parser.add_argument("--seeded-every", type=int, default=4, help="of every so many candidates")
    parser.add_argument("--every", type=int, default=1, help="distil every so many candidates, to check a long search")
    parser.add_argument("--only", choices=("searches", "truth"), help="do this part alone")
    parser.add_argument("--part", default="0/1", help="INDEX/COUNT: which share of the full distillations to do here")
    parser.add_argument("--home", type=Path, default=Path("results"))
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def searched(
    workspace: ose.Workspace, content: dict[str, Any], folder: Path, steps: int, initialization: str, **changes: int
) -> Job:
    """The finished search at so many steps: found, gone on with, or run."""
    search = {**content.get("search", {}), "steps": steps, "initialization": initialization, **changes}
    name = "-".join(map(str, (content["name"], initialization, steps, *changes.values())))
    spec = parse_job({**content, "name": name, "search": search}, folder)
    known = workspace.store.jobs(spec_hash=spec_hash(spec))
    job = known[0] if known else workspace.submit(spec)
    job = job if job.status is JobStatus.SUCCEEDED else workspace.run(job.id)
    if job.status is not JobStatus.SUCCEEDED:
        raise SystemExit(f"{name} ended as {job.status}: {job.failure}")
    return job


def search_rows(workspace: ose.Workspace, job: Job) -> Iterator[dict[str, Any]]:
    for each in workspace.store.candidates(job.id):
        if each.evaluation is None or each.latency is None:
            continue
        yield {
            "initialization": job.spec.search.initialization,
            "steps": job.spec.search.steps,
            **identity(each),
            "loss_nats": each.evaluation.loss_nats,
            "loss_stderr_nats": each.evaluation.loss_stderr_nats,
            "wall_time_s": each.evaluation.wall_time_s,
            "training_losses_nats": rounded(each.evaluation.training_losses_nats),
            "sequence_losses_nats": rounded(each.evaluation.sequence_losses_nats),
        }


def identity(candidate: Candidate) -> dict[str, Any]:
    assert candidate.latency is not None
    return {
        "candidate": candidate.number,
        "architecture": str(candidate.architecture),
        "num_parameters": candidate.num_parameters,
        "flops": candidate.flops,
        "latency_p50_ms": candidate.latency.p50_ms,
    }


def rounded(values: tuple[float, ...]) -> str:
    return json.dumps([round(value, 4) for value in values])


def distillations(candidates: list[Candidate], options: argparse.Namespace) -> list[tuple[Candidate, int]]:
    """All that are asked for with the first seed, then every so many with the others; of these, this process's share."""
    candidates = candidates[:: options.every]
    seeded = candidates[:: options.seeded_every]
    wanted = [(each, 0) for each in candidates]
    wanted += [(each, seed) for seed in range(1, options.seeds) for each in seeded]
    index, count = map(int, options.part.split("/"))
    return wanted[index::count]


def truth_row(workspace: ose.Workspace, job: Job, candidate: Candidate, seed: int, steps: int) -> dict[str, Any]:
    """Distil a candidate fully, unless that is done."""
    changes = {"steps": steps, "seed": seed, "evaluate_every": max(1, steps // 20)}
    result = workspace.distill(job.id, candidate=candidate.number, changes=changes).result
    assert result is not None
    return {
        **identity(candidate),
        "seed": seed,
        "steps": result.num_steps,
        "loss_nats": result.loss_nats,
        "loss_stderr_nats": result.loss_stderr_nats,
        "masked_accuracy": result.metrics["masked_accuracy"].value,
        "wall_time_s": result.wall_time_s,
        "sequence_losses_nats": rounded(result.sequence_losses_nats),
    }


def searched_truth(
    workspace: ose.Workspace, content: dict[str, Any], folder: Path, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """All candidates with the first seed, then every so many with the others, in long searches."""
    stride = content.get("search", {}).get("epsilon", 1) * options.seeded_every
    for seed in range(options.seeds):
        changes = {"seed": seed, "epsilon": stride} if seed else {}
        job = searched(workspace, content, folder, options.final_steps, "inherit", **changes)
        for row, candidate in zip(search_rows(workspace, job), workspace.store.candidates(job.id), strict=True):
            assert candidate.evaluation is not None
            del row["initialization"], row["training_losses_nats"]
            accuracy = candidate.evaluation.metrics["masked_accuracy"].value
            yield {**row, "seed": seed, "masked_accuracy": accuracy}


def write_searches(
    workspace: ose.Workspace, content: dict[str, Any], folder: Path, options: argparse.Namespace
) -> None:
    """All candidates at each number of steps, from both initialisations."""
    jobs = [searched(workspace, content, folder, steps, each) for each in INITIALIZATIONS for steps in options.steps]
    write_csv(options.output / "searches.csv", [row for job in jobs for row in search_rows(workspace, job)])


def write_truth(workspace: ose.Workspace, content: dict[str, Any], folder: Path, options: argparse.Namespace) -> None:
    if options.truth == "search":
        return write_csv(options.output / "truth.csv", list(searched_truth(workspace, content, folder, options)))
    job, rows = searched(workspace, content, folder, options.steps[0], INITIALIZATIONS[0]), []
    for candidate, seed in distillations(workspace.store.candidates(job.id), options):
        rows.append(truth_row(workspace, job, candidate, seed, options.final_steps))
        print(rows[-1]["architecture"], seed, f"{rows[-1]['loss_nats']:.4f} nats", flush=True)
    name = "truth.csv" if options.part == "0/1" else f"truth-{options.part.replace('/', '-of-')}.csv"
    write_csv(options.output / name, rows)


def write_teacher(workspace: ose.Workspace, content: dict[str, Any], folder: Path, options: argparse.Namespace) -> None:
    job = searched(workspace, content, folder, options.steps[0], INITIALIZATIONS[0])
    assert job.teacher_latency is not None and job.teacher_quality is not None
    teacher = {
        "num_parameters": job.teacher.num_parameters,
        "latency_p50_ms": job.teacher_latency.p50_ms,
        "entropy_nats": job.teacher_quality.entropy_nats,
    }
    (options.output / "teacher.json").write_text(json.dumps(teacher, indent=1), encoding="utf8")


def main() -> None:
    options = parse_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    content, folder = yaml.safe_load(options.job.read_text(encoding="utf8")), options.job.parent
    with ose.Workspace(options.home) as workspace:
        write_teacher(workspace, content, folder, options)
        if options.only != "truth":
            write_searches(workspace, content, folder, options)
        if options.only != "searches":
            write_truth(workspace, content, folder, options)


if __name__ == "__main__":
    main()
