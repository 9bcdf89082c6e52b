"""Numbers without measure: refused when they are submitted, and what was let in before holds nobody up.

Tests ose/coordinator/capacity.py and ose/inputs/space_size.py too.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import builders
import httpx2
import psutil
import pytest
from processes import eventually, ose
from services import add_finished_job, serving

from ose.api.dependencies import ServerOptions
from ose.core.job import DistillationStatus, JobStatus
from ose.core.search_space import SearchSpace
from ose.core.spec import SearchSpec, WorkersSpec
from ose.store.database import open_store
from ose.workspace import Workspace

SPACES = "a space too large to count or to go through is accepted"
LISTS = "a list of jobs counts every space anew"
NUMBERS = "a number without measure is accepted, and fails late or never"
DEAF = "a coordinator that goes through a large space hears nothing"
AGAIN = "a job that kills its coordinator is claimed again first"
WORKERS = "workers are started for which there is no work"

JOB = {
    "name": "wrong",
    "teacher": {"model": "teacher"},
    "corpus": {"train": ["text.txt"], "sequence_length": 32},
    "space": {
        "num_hidden_layers": [1],
        "num_attention_heads": [2],
        "hidden_size": [16],
        "intermediate_size": [32],
    },
    "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
}


@pytest.fixture
def root(tmp_path: Path, tiny_roberta: Path, real_text: list[str]) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    shutil.copytree(tiny_roberta, root / "teacher")
    (root / "text.txt").write_text("\n".join(" ".join(document.split()) for document in real_text))
    return root


@pytest.fixture
def url(workspace: Workspace, root: Path) -> Iterator[str]:
    with serving(workspace, ServerOptions(data_root=root)) as url:
        yield f"{url}/api/v1"


def send(url: str, text: str) -> httpx2.Response:
    return httpx2.post(f"{url}/jobs", content=text, headers={"Content-Type": "application/json"}, timeout=20)


def changed(place: str, written: str) -> str:
    """The job as JSON, with a number at a dotted place as it is written there."""
    content: dict[str, Any] = json.loads(json.dumps(JOB))
    *parents, last = place.split(".")
    inner = content
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = "@"
    return json.dumps(content).replace('"@"', written)


def test_the_job_is_fine_but_for_its_number(url: str) -> None:
    assert send(url, json.dumps(JOB)).status_code == 201


HYPERPARAMETERS = '[{"batch_size": %s}]'


@pytest.mark.parametrize(
    ("place", "written"),
    [
        ("search.steps", "1" + "0" * 30),
        ("search.hyperparameters", HYPERPARAMETERS % 10**9),
        ("latency.threads", str(10**6)),
        ("workers.cpus", str(10**9)),
        ("workers.gpus", "0.0001"),
        ("workers.count", str(10**6)),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.attack(door="bounds", fault=NUMBERS, how="as found")
def test_numbers_that_failed_late_or_never_are_refused(url: str, place: str, written: str) -> None:
    is_refused(send(url, changed(place, written)))


@pytest.mark.parametrize(
    ("place", "written"),
    [
        ("search.steps", '"1' + "0" * 4000 + '"'),
        ("search.steps", "1e300"),
        ("search.steps", "10000001"),
        ("search.epsilon", "1" + "0" * 400),
        ("search.hyperparameters", '[{"learning_rate": 1e-400}]'),
        ("search.hyperparameters", '[{"learning_rate": "5e-324"}]'),
        ("search.hyperparameters", '[{"weight_decay": 1e-320}]'),
        ("search.hyperparameters", '[{"weight_decay": "nan"}]'),
        ("search.hyperparameters", HYPERPARAMETERS % '"6_5537"'),
        ("search.inheritance.layers", "[99999999999999999999]"),
        ("search.held_out_sequences", str(2**40)),
        ("search.max_attempts", str(2**31)),
        ("corpus.max_tokens", str(10**30)),
        ("latency.batch_size", str(2**20)),
        ("limits.max_parameters", str(10**30)),
        ("limits.max_latency_ms", "1e999"),
        ("score.exponents", "[1, 1, 1e-320]"),
        ("distillation.steps", str(2**63)),
        ("distillation.temperature", "1e-30"),
        ("distillation.weights", '{"cosine": 1e300}'),
        ("distillation.relation_layer", "-99999999999999999999"),
        ("workers.gpus", "1.5"),
        ("space.hidden_size", "[16, 1" + "0" * 40 + "]"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.attack(door="bounds", fault=NUMBERS, how="every other field: denormals, huge text, underscores, overflow")
def test_numbers_in_other_fields_and_forms_are_refused(url: str, place: str, written: str) -> None:
    is_refused(send(url, changed(place, written)))


def is_refused(answer: httpx2.Response) -> None:
    assert answer.status_code == 422, answer.text
    assert len(answer.text) < 1_000 and "\n" not in answer.json()["detail"]
    assert answer.elapsed.total_seconds() < 5


@pytest.mark.parametrize(
    "changes",
    [{"steps": 10**30}, {"steps": "many"}, {"learning_rate": "nan"}, {"weights": {"cosine": "x"}}, {"layers": [10**9]}],
    ids=str,
)
@pytest.mark.attack(door="bounds", fault=NUMBERS, how="in a request to distil, not in a job")
def test_changes_of_a_recipe_are_held_to_the_same_bounds(workspace: Workspace, url: str, changes: Any) -> None:
    add_finished_job(workspace.store)
    is_refused(httpx2.post(f"{url}/jobs/job-1/distillations", json={"changes": changes}, timeout=20))


@pytest.mark.parametrize(
    "value", ["0x" + "f" * 80, "10_000_001", "0777777777777", "0o777777777777"], ids=["hex", "_", "zero", "octal"]
)
@pytest.mark.attack(door="bounds", fault=NUMBERS, how="in YAML: hexadecimal, underscored, octal")
def test_yamls_own_numbers_are_held_to_the_same_bounds(root: Path, workspace: Workspace, value: str) -> None:
    file = root / "job.yaml"
    file.write_text(json.dumps(JOB).replace("{", "{ ", 1)[:-1] + f', "search": {{"steps": {value}}}}}\n')
    with ose(workspace.home, "job", "submit", str(file)) as run:
        _, told = run.communicate(timeout=60)
    assert run.returncode == 2 and "search.steps must be at most 10,000,000" in told and len(told) < 1_000


def space(num_sets: int = 1, **axes: Any) -> str:
    search = {"initialization": "random", "hyperparameters": [{"batch_size": 1}] * num_sets}
    return json.dumps({**JOB, "space": {**JOB["space"], **axes}, "search": search})


@pytest.mark.attack(door="bounds", fault=SPACES, how="as found")
def test_a_space_of_10_000_times_10_000_is_refused_at_once(url: str) -> None:
    answer = send(url, space(num_attention_heads={"start": 1, "stop": 10_000}, hidden_size=list(range(1, 10_001))))
    is_refused(answer)
    assert "OSE_MAX_AXIS_VALUES" in answer.json()["detail"]


EVEN = list(range(2, 2001, 2))
LONG = list(range(1, 1001))


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        (space(num_hidden_layers=LONG, intermediate_size=LONG, hidden_size=EVEN[:99]), "OSE_MAX_SPACE_MEMBERS"),
        (space(hidden_size=EVEN, intermediate_size=LONG[:200]), "OSE_MAX_CANDIDATES"),
        (space(layers=[[0]] * 1001), "OSE_MAX_AXIS_VALUES"),
        (space(num_sets=900, hidden_size=EVEN[:150]), "OSE_MAX_CANDIDATES"),
        (space(num_sets=50_000), "at most 1,000"),
        (changed("search", '{"steps": 1000000, "hyperparameters": [{"batch_size": 101}]}'), "OSE_MAX_SEQUENCES"),
    ],
    ids=["members", "candidates", "layers", "theta", "many sets", "steps"],
)
@pytest.mark.attack(door="bounds", fault=SPACES, how="by three axes, by Theta, by layers, by their product with steps")
def test_products_that_are_too_large_are_refused_with_their_setting(url: str, text: str, setting: str) -> None:
    answer = send(url, text)
    is_refused(answer)
    assert setting in answer.json()["detail"]


HUGE = SearchSpace(
    name="huge",
    num_hidden_layers=(1,),
    num_attention_heads=tuple(range(1, 10_001)),
    hidden_size=tuple(range(1, 10_001)),
    intermediate_size=(8,),
)


@pytest.mark.parametrize("space_size", [93_668, None], ids=["counted", "from before"])
@pytest.mark.attack(door="bounds", fault=LISTS, how="as found, and with a job from before sizes were stored")
def test_no_list_counts_a_space(workspace: Workspace, url: str, space_size: int | None) -> None:
    workspace.store.add_job(builders.new_job(spec=builders.job_spec(space=HUGE), space_size=space_size))
    began = time.monotonic()
    answer = httpx2.get(f"{url}/jobs", timeout=60)
    assert answer.json()["jobs"][0]["space_size"] == space_size
    assert time.monotonic() - began < 3
    assert httpx2.get(f"{url}/jobs/job-1", timeout=60).elapsed.total_seconds() < 3


MANY = {
    **JOB,
    "space": {
        "num_hidden_layers": {"start": 1, "stop": 100},
        "num_attention_heads": [1],
        "hidden_size": {"start": 1, "stop": 100},
        "intermediate_size": {"start": 1, "stop": 1000},
    },
    "search": {"initialization": "random", "epsilon": 1000, "steps": 1},
}
"""Ten million members, the most there may be."""


def submitted(home: Path, root: Path, content: dict[str, Any]) -> str:
    file = root / "job.yaml"
    file.write_text(json.dumps(content))
    with ose(home, "job", "submit", str(file)) as submit:
        told = submit.communicate(timeout=120)
    assert submit.returncode == 0, told
    return told[0].strip()


@pytest.mark.flood
@pytest.mark.parametrize("how", ["cancel", "SIGTERM"])
@pytest.mark.attack(door="bounds", fault=DEAF, how="as found: cancelled, and terminated")
def test_a_coordinator_in_a_space_of_ten_millions_hears(root: Path, tmp_path: Path, how: str) -> None:
    home = tmp_path / "home"
    job = submitted(home, root, MANY)
    with closing(open_store(f"sqlite:///{home / 'ose.db'}")) as store, ose(home, "coordinator", "--until-empty") as run:
        assert eventually(lambda: store.job(job).lease_owner is not None, within_s=60)
        time.sleep(1)
        began = time.monotonic()
        store.cancel_job(job, store.now()) if how == "cancel" else run.send_signal(signal.SIGTERM)
        told = run.communicate(timeout=60)
        took = time.monotonic() - began
    assert took < 15, told  # a second or two, and what ends the worker that imports torch meanwhile
    assert ("cancelled" if how == "cancel" else "handed back") in told[1]


@pytest.mark.flood
@pytest.mark.attack(door="bounds", fault=AGAIN, how="as found: three coordinators killed under it")
def test_a_job_that_gets_nowhere_fails_and_the_next_one_runs(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    deadly, fine = submitted(home, root, MANY), submitted(home, root, {**JOB, "search": {"steps": 2}})
    with closing(open_store(f"sqlite:///{home / 'ose.db'}")) as store:
        for _ in range(3):
            with ose(home, "coordinator") as run:
                assert eventually(lambda: f":{run.pid}:" in (store.job(deadly).lease_owner or ""), within_s=60)
                run.kill()
        with ose(home, "coordinator", "--until-empty") as run:
            told = run.communicate(timeout=240)
        failure = store.job(deadly).failure
        assert failure is not None and failure.code == "abandoned" and "OSE_MAX_CLAIMS" in failure.message, told
        assert store.job(fine).status is JobStatus.SUCCEEDED


@pytest.mark.long
@pytest.mark.attack(door="bounds", fault=AGAIN, how="a distillation, under which three coordinators are killed")
def test_a_distillation_that_gets_nowhere_fails_and_the_next_one_runs(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    job = submitted(home, root, {**JOB, "search": {"steps": 1, "held_out_sequences": 8}})
    with Workspace(home) as workspace:
        workspace.run(job)
        small = {"batch_size": 4, "micro_batch_size": 4}
        deadly = workspace.students.request(job, changes={"steps": 10_000_000, "checkpoint_every": 10_000_000, **small})
        fine = workspace.students.request(job, changes={"steps": 2, **small})
        for number in range(1, 4):
            with ose(home, "coordinator") as run:
                assert eventually(partial(_is_claimed, workspace, deadly.id, number), within_s=60)
                run.kill()
            _end_leases(home)
        with ose(home, "coordinator", "--until-empty") as run:
            told = run.communicate(timeout=240)
        failure = workspace.store.distillation(deadly.id).failure
        assert failure is not None and failure.code == "abandoned" and "OSE_MAX_CLAIMS" in failure.message, told
        assert workspace.store.distillation(fine.id).status is DistillationStatus.SUCCEEDED


def _is_claimed(workspace: Workspace, distillation_id: int, times: int) -> bool:
    return workspace.store.distillation(distillation_id).num_claims == times


def _end_leases(home: Path) -> None:
    """As half a minute would."""
    with closing(sqlite3.connect(home / "ose.db")) as database, database:
        database.execute("UPDATE distillations SET lease_expires_at = created_at WHERE lease_owner IS NOT NULL")


@pytest.mark.ray
@pytest.mark.flood
@pytest.mark.attack(door="bounds", fault=WORKERS, how="as found: twelve workers for one candidate")
def test_one_candidate_gets_one_worker(workspace: Workspace) -> None:
    one = builders.search_space(
        num_hidden_layers=(1,), num_attention_heads=(2,), hidden_size=(32,), intermediate_size=(64,)
    )
    spec = builders.job_spec(space=one, workers=WorkersSpec(count=12), search=SearchSpec(steps=1))
    job = workspace.store.add_job(builders.new_job(spec=spec))
    with closing(workspace._wiring.backend(job)) as backend:
        assert backend.capacity == 1
        children = psutil.Process().children(recursive=True)
        assert sum("ImplicitFunc" in " ".join(each.cmdline()) for each in children) <= 1


@pytest.mark.attack(door="bounds", fault=WORKERS, how="more than the machine has cores, or the operator allows")
def test_no_more_workers_than_cores_and_the_operator_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    from ose.coordinator.capacity import most_workers

    asked, teacher = WorkersSpec(count=500), builders.teacher_facts()
    count, reason = most_workers(asked, teacher, num_tasks=400, is_local=True)
    assert count <= (psutil.cpu_count() or 1) and "this machine" in reason
    assert most_workers(asked, teacher, num_tasks=400, is_local=False) == (400, "there is no work for more")
    monkeypatch.setenv("OSE_MAX_WORKERS", "3")
    count, reason = most_workers(asked, teacher, num_tasks=400, is_local=False)
    assert count == 3 and "OSE_MAX_WORKERS" in reason
