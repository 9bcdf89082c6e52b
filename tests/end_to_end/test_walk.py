"""The main job through the command line: run, read, distil, export, and load without any code of ours.

Tests ose/cli/main.py, ose/cli/jobs.py, ose/cli/leaderboard.py, ose/cli/students.py, ose/cli/coordinators.py,
ose/cli/doctor.py, ose/cli/inspection.py and ose/jobs/submit.py too.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ose.core.score import LOSS_FLOOR_NATS

LOAD_PLAINLY = """
import sys
from transformers import AutoModelForMaskedLM, AutoTokenizer
model = AutoModelForMaskedLM.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
assert "ose" not in sys.modules
encoded = tokenizer(f"Return the {tokenizer.mask_token}.", return_tensors="pt")
print(model(**encoded).logits.shape[-1] == len(tokenizer))
"""


def test_a_job_from_its_file_to_an_exported_student(ose, job, write, tmp_path):
    ran = ose("job", "run", write(job))
    assert ran.status == 0, ran.err
    job_id = json.loads(ose("job", "list", "--format", "json").out)[0]["id"]

    assert "\ncost: 4 candidates, " in ran.err and "\ntook " in ran.err
    cost = json.loads(ose("job", "show", job_id, "--format", "json").out)["cost"]
    assert cost["taken"]["training_s"] > 0 and cost["work"]["num_latencies"] == 5
    assert f"at the pace of job {job_id}" in ose("job", "submit", write(job)).err

    board = json.loads(ose("leaderboard", job_id, "--format", "json").out)
    assert [row["rank"] for row in board["rows"]] == [1, 2, 3, 4]
    assert board["teacher"]["loss_nats"] > 0
    scores = [row["score"] for row in board["rows"]]
    assert scores == sorted(scores, reverse=True)
    assert all(row["num_steps"] == 2 and row["error"] is None for row in board["rows"])

    assert ose("distill", job_id).status == 0
    exported = ose("export", job_id, "--output", tmp_path / "student", "--format", "json")
    assert exported.status == 0, exported.err
    assert json.loads(exported.out)["max_logit_difference"] < 1e-5
    manifest = json.loads((tmp_path / "student" / "ose_manifest.json").read_text())
    assert manifest["student"]["candidate"] == board["rows"][0]["candidate"]
    for file in (tmp_path / "student").iterdir():
        for folder in (tmp_path, job["teacher"]["model"], Path.home(), Path.cwd()):
            assert str(folder).encode() not in file.read_bytes(), (file.name, folder)
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD_PLAINLY, str(tmp_path / "student")], capture_output=True, text=True, cwd=tmp_path
    )
    assert loaded.stdout.strip() == "True", loaded.stderr

    onnx = ose("export", job_id, "--runtime", "onnxruntime", "--output", tmp_path / "onnx", "--format", "json")
    assert onnx.status == 0, onnx.err
    assert json.loads(onnx.out)["logit_difference_share"] < 1e-4
    small = ("--quantize", "int8-static", "--output", tmp_path / "int8", "--format", "json")
    quantised = ose("export", job_id, "--runtime", "onnxruntime", *small)
    assert quantised.status == 0, quantised.err
    assert json.loads(quantised.out)["verdict"]["outcome"] in ("passed", "failed", "not decided")

    again = ose("export", job_id, "--output", tmp_path / "student")
    assert again.status == 2 and "not empty" in again.complaint


def test_a_finished_job_is_ranked_again_without_training(ose, job, write):
    assert ose("job", "run", write(job)).status == 0
    job_id = json.loads(ose("job", "list", "--format", "json").out)[0]["id"]
    plain = json.loads(ose("leaderboard", job_id, "--format", "json").out)
    excess = json.loads(ose("leaderboard", job_id, "--formula", "excess", "--format", "json").out)
    entropy = plain["teacher"]["loss_nats"]
    by_number = {row["candidate"]: row for row in excess["rows"]}
    for row in plain["rows"]:
        above = max(row["loss_nats"] - entropy, LOSS_FLOOR_NATS)  # an untrained teacher is met at once
        # Products, not ratios: a student whose latency came out above the teacher's scores zero in both.
        assert by_number[row["candidate"]]["score"] * above == pytest.approx(row["score"] * row["loss_nats"])

    only_loss = json.loads(ose("leaderboard", job_id, "--exponents", "0,0,1", "--format", "json").out)["rows"]
    assert [row["loss_nats"] for row in only_loss] == sorted(row["loss_nats"] for row in plain["rows"])

    rows = list(csv.DictReader(io.StringIO(ose("leaderboard", job_id, "--format", "csv", "--limit", "2").out)))
    assert [int(row["candidate"]) for row in rows] == [row["candidate"] for row in plain["rows"][:2]]
    assert f"... and 3 more: ose leaderboard {job_id}" in ose("leaderboard", job_id, "--limit", "1").out
    assert "more:" not in ose("leaderboard", job_id, "--limit", "4").out
    front = json.loads(ose("leaderboard", job_id, "--pareto", "--format", "json").out)["rows"]
    assert front and all(row["is_pareto"] for row in front)


def test_the_same_seed_gives_the_same_numbers(ose, job, write):
    file = write(job)
    assert ose("job", "run", file).status == 0
    assert ose("job", "run", file).status == 0
    first, second = (each["id"] for each in json.loads(ose("job", "list", "--format", "json").out))
    losses = [
        {
            row["candidate"]: row["loss_nats"]
            for row in json.loads(ose("leaderboard", i, "--format", "json").out)["rows"]
        }
        for i in (first, second)
    ]
    assert losses[0] == losses[1]


def test_limits_leave_out_before_and_after_training(ose, job, write):
    job["limits"] = {"max_parameters": 20_000, "max_loss_nats": 1e-3}
    ran = ose("job", "run", write(job))
    assert ran.status == 1 and "no candidate passed" in ran.err
    job_id = json.loads(ose("job", "list", "--format", "json").out)[0]["id"]
    rows = json.loads(ose("leaderboard", job_id, "--format", "json").out)["rows"]
    trained = [row for row in rows if row["loss_nats"] is not None]
    assert {row["status"] for row in rows} == {"REJECTED"}
    assert trained and all(row["num_parameters"] <= 20_000 and "nats >" in row["error"]["message"] for row in trained)
    untrained = [row for row in rows if row["loss_nats"] is None]
    assert untrained and all(row["num_parameters"] > 20_000 and row["latency_p50_ms"] is None for row in untrained)


def test_a_queued_job_is_run_by_a_coordinator(ose, job, write):
    submitted = ose("job", "submit", write(job))
    job_id = submitted.out.strip()
    assert json.loads(ose("job", "show", job_id, "--format", "json").out)["status"] == "PENDING"
    assert ose("coordinator", "--until-empty").status == 0
    shown = json.loads(ose("job", "show", job_id[:5], "--format", "json").out)
    assert shown["status"] == "SUCCEEDED" and shown["candidates"] == {"SUCCEEDED": 4}


@pytest.mark.long("`make test` cancels and resumes in one process")
def test_a_cancelled_job_can_be_resumed(ose, job, write):
    job_id = ose("job", "submit", write(job)).out.strip()
    assert ose("job", "cancel", job_id).status == 0
    assert ose("job", "cancel", job_id).status == 2
    assert ose("job", "resume", job_id).status == 0
    assert ose("job", "resume", job_id).status == 2


@pytest.mark.long
def test_a_bert_teaches_and_is_extracted(ose, job, write, tiny_bert: Path):
    job["teacher"]["model"] = str(tiny_bert)
    assert ose("job", "run", write(job)).status == 0


def test_a_model_directory_has_a_latency(ose, tiny_roberta: Path):
    lengths = ("--sequence-length", "16", "--sequence-length", "32", "--batch-size", "2")
    measured = ose(
        "latency",
        tiny_roberta,
        "--reference",
        tiny_roberta,
        *lengths,
        "--seconds-per-shape",
        "0.01",
        "--format",
        "json",
    )
    assert measured.status == 0, measured.err
    found = json.loads(measured.out)["latencies"]
    assert [(each["batch_size"], each["sequence_length"]) for each in found] == [(2, 16), (2, 32)]
    assert all(each["latency"]["p50_ms"] > 0 and each["reference"]["p50_ms"] > 0 for each in found)
    assert all(0.2 < each["latency"]["ratio"] < 5 for each in found)


def test_doctor_finds_everything(ose):
    checked = ose("doctor")
    assert checked.status == 0
    assert all(line.startswith("ok ") for line in checked.out.splitlines())


def test_every_second_member_from_random_weights_with_each_set_of_hyperparameters(ose, job, write):
    theta = [{"batch_size": 2, "learning_rate": 1e-3}, {"batch_size": 4, "learning_rate": 1e-4}]
    job["search"] |= {"epsilon": 2, "initialization": "random", "weight_clip": 0.05, "hyperparameters": theta}
    assert ose("job", "run", write(job)).status == 0
    job_id = json.loads(ose("job", "list", "--format", "json").out)[0]["id"]
    rows = json.loads(ose("leaderboard", job_id, "--order-by", "candidate", "--format", "json").out)["rows"]
    assert [row["hyperparameters"]["batch_size"] for row in rows] == [2, 4, 2, 4]
    assert rows[0]["architecture"] == rows[1]["architecture"] != rows[2]["architecture"]
    assert len({row["loss_nats"] for row in rows}) == 4
