"""Bad input: one clear line, exit status 2, and nothing stored.

Tests ose/cli/context.py too.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from services import add_finished_job

from ose.workspace import Workspace


@pytest.fixture
def refused(ose, write):
    """Submit a job that must be refused; return the complaint. Nothing may have been stored."""

    def submit(content) -> str:
        outcome = ose("job", "submit", write(content))
        assert outcome.status == 2, outcome.err
        complaint = outcome.complaint
        assert json.loads(ose("job", "list", "--format", "json").out) == []
        return complaint

    return submit


def test_a_missing_teacher(refused, job):
    job["teacher"]["model"] = "./no/such/directory"
    assert "no/such/directory" in refused(job)


def test_a_corrupt_teacher(refused, job, tiny_roberta: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_roberta, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    job["teacher"]["model"] = str(broken)
    assert "model.safetensors" in refused(job)


def test_a_decoder_as_teacher(refused, job, tiny_roberta: Path, tmp_path: Path):
    decoder = tmp_path / "decoder"
    shutil.copytree(tiny_roberta, decoder)
    config = json.loads((decoder / "config.json").read_text())
    config |= {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
    (decoder / "config.json").write_text(json.dumps(config))
    job["teacher"]["model"] = str(decoder)
    assert "decoder" in refused(job)


def test_an_empty_corpus(refused, job, tmp_path: Path):
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n")
    job["corpus"]["train"] = [str(empty)]
    assert "empty.txt" in refused(job)


@pytest.mark.parametrize(
    ("corpus", "told"),
    [
        ({"columns": {"text": "sentense"}}, "reviews.csv has no column 'sentense'; nearest: 'sentence'"),
        ({"columns": {"text": "sentence"}, "text_field": "sentence"}, "text_field is a former name of corpus.columns"),
        ({"columns": {"text": "sentence", "label": "label"}}, "corpus.columns.label is given, but the task fill_mask"),
        ({"columns": {"txt": "sentence"}}, "did you mean corpus.columns.text?"),
        ({"text_field": "label"}, "reviews.csv, line 3: a quote is not closed"),
    ],
)
def test_columns_that_cannot_be_read(refused, job, tmp_path: Path, corpus: dict, told: str):
    (tmp_path / "reviews.csv").write_text('sentence,label\ngood,\n"bad,1\n')
    job["corpus"] |= {"train": [str(tmp_path / "reviews.csv")], **corpus}
    assert told in refused(job)


def test_a_sequence_longer_than_the_positions(refused, job):
    job["corpus"]["sequence_length"] = 512
    assert "sequence_length is 512, but the teacher takes at most 64" in refused(job)


def test_heads_that_never_divide(refused, job):
    job["space"]["num_attention_heads"] = [5]
    assert "no valid member" in refused(job)


def test_students_larger_than_the_teacher(refused, job):
    job["space"]["hidden_size"] = [64]
    assert "initialization: random" in refused(job)


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("search", "steps", -1, "search.steps must be positive"),
        ("search", "stepps", 1, "did you mean search.steps?"),
        ("corpus", "trian", [], "did you mean corpus.train?"),
        ("latency", "device", "tpu", "latency.device"),
        ("limits", "max_latency_ms", 0, "must be positive"),
    ],
)
def test_a_value_that_cannot_be(refused, job, section, key, value, told):
    job.setdefault(section, {})[key] = value
    assert told in refused(job)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ("tpo", "search.inheritance.layers must be a rule (distilbert, even, "),
        ([0], "search.inheritance.layers [0] are 1, but the student has 2"),
    ],
)
def test_layers_that_cannot_be_kept(refused, job, layers, told):
    job["search"]["inheritance"] = {"layers": layers}
    assert told in refused(job)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([[0, 4]], "space 'inline': layers [0, 4] are not in ascending order between 0 and 3"),
        ([[0, 1, 2]], "layers [0, 1, 2] are 3, but num_hidden_layers is [1, 2]"),
        ([["a"]], "space.layers[0] must be a rule"),
    ],
)
def test_an_axis_of_layers_that_cannot_be_kept(refused, job, layers, told):
    job["space"]["layers"] = layers
    assert told in refused(job)


def test_layers_to_keep_from_random_weights(refused, job):
    job["space"]["layers"] = ["top"]
    job["search"]["initialization"] = "random"
    assert "search.initialization is random and keeps none" in refused(job)


@pytest.mark.parametrize("keep", [4, 9])
def test_more_layers_than_there_are_to_leave_out(ose, job, write, keep):
    outcome = ose("layers", write(job), "--keep", keep)
    assert outcome.status == 2
    assert f"the teacher has 4 layers; keep 1 to 3 of them, not {keep}" in outcome.complaint


def test_broken_yaml(refused):
    assert "line 1" in refused("name: [unclosed")


def test_an_unknown_space(refused, job):
    job["space"] = "bortt"
    assert "bort" in refused(job)


@pytest.mark.parametrize("command", [("job", "show"), ("job", "resume"), ("leaderboard",), ("distill",), ("export",)])
def test_an_unknown_job(ose, command):
    outcome = ose(*command, "ffffffff")
    assert outcome.status == 2
    assert "ffffffff" in outcome.complaint


def test_an_unfinished_job_has_nothing_to_distill(ose, job, write):
    job_id = ose("job", "submit", write(job)).out.strip()
    assert "no scored candidate yet" in ose("distill", job_id).complaint
    assert "no distilled student yet" in ose("export", job_id).complaint


def test_a_database_newer_than_the_code(ose, tmp_path: Path):
    assert ose("job", "list").status == 0
    with sqlite3.connect(tmp_path / "home" / "ose.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999_future'")
    database.close()
    outcome = ose("job", "list")
    assert outcome.status == 2
    assert "9999_future" in outcome.complaint


def test_an_unwritable_home(ose, tmp_path: Path):
    (tmp_path / "file").write_text("")
    outcome = ose("--home", tmp_path / "file" / "home", "job", "list")
    assert outcome.status == 2
    assert outcome.complaint


def test_options_that_cannot_be(ose):
    assert ose("leaderboard", "1234", "--order-by", "beauty").status == 2


def test_a_latency_that_cannot_be_measured(ose, tiny_roberta: Path):
    assert "no such directory" in ose("latency", "/nowhere").complaint
    too_long = ose("latency", tiny_roberta, "--sequence-length", "5000")
    assert too_long.status == 2
    assert "takes at most 64 tokens" in too_long.complaint


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("leaderboard", "3f9c", "--formula", "other"), "'--formula': 'other' is not one of 'w', 'excess'"),
        (("leaderboard", "3f9c", "--limit", "many"), "'--limit'"),
        (("leaderboard", "3f9c", "--order", "loss"), "--order-by"),
        (("leaderbord",), "Did you mean 'leaderboard'?"),
        (("leaderboard",), "'ID'"),
    ],
)
def test_a_slip_on_the_command_line(ose, arguments: tuple[str, ...], named: str) -> None:
    outcome = ose(*arguments)
    assert outcome.status == 2 and named in outcome.complaint


@pytest.mark.parametrize("arguments", [(), ("job",)])
def test_without_a_command_there_is_help(ose, arguments: tuple[str, ...]) -> None:
    outcome = ose(*arguments)
    assert outcome.status == 2 and "Usage: ose" in outcome.out and outcome.err == ""


def test_json_has_null_where_there_is_no_number(ose, workspace: Workspace, tmp_path: Path) -> None:
    """The error of a score is none where a single sequence was judged."""
    add_finished_job(workspace.store)
    with closing(sqlite3.connect(tmp_path / "home" / "ose.db")) as database, database:
        database.execute("UPDATE candidates SET loss_stderr_nats = NULL")
    board = json.loads(ose("leaderboard", "job-1", "--format", "json").out, parse_constant=pytest.fail)
    assert {row["score_stderr"] for row in board["rows"]} == {None}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{max_parameters: 1e6}", ""),
        ("{max_parameters: 1:30}", "limits.max_parameters must be a whole number, not '1:30'"),
        ("{max_loss_nats: 1:30}", "limits.max_loss_nats must be a number, not '1:30'"),
    ],
)
def test_numbers_are_what_they_seem(ose, write, job, text: str, told: str) -> None:
    outcome = ose("job", "submit", write(f"{yaml.safe_dump(job)}\nlimits: {text}\n"))
    if told:
        assert told in outcome.complaint
    else:
        [known] = json.loads(ose("job", "list", "--format", "json").out)
        assert known["spec"]["limits"]["max_parameters"] == 10**6


def test_an_interrupt_is_told_in_a_line(ose, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ose.cli.context.Context.workspace", interrupted)
    outcome = ose("job", "list")
    assert outcome.status == 130 and "interrupted" in outcome.complaint
