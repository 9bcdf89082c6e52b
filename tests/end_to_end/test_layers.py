"""Layers as an axis of the space, and `ose layers`, on a teacher of four layers.

Tests ose/cli/layers.py, ose/cli/spaces.py and ose/inputs/space_json.py too.
"""

from __future__ import annotations

import json
from itertools import combinations

import pytest

from ose.core.layer_choice import MEASURED_RULES
from ose.core.layer_subsets import LayerQuestion
from ose.core.progress import Silence
from ose.workspace import Workspace


def test_subsets_are_ranked_trained_and_found_again(ose, job, write):
    job |= {"limits": {"max_parameters": 1}, "score": {"exponents": [100, 1, 0]}}  # neither is asked here
    job["distillation"]["layers"] = [0]
    command = ("layers", write(job), "--keep", 2, "--steps", 3, "--top", 1)
    first = ose(*command, "--format", "json")
    assert first.status == 0, first.err
    report = json.loads(first.out)
    rules = {"distilbert": [0, 3], "even": [1, 3], "alternate": [0, 2], "bottom": [0, 1], "top": [2, 3]}
    assert {tuple(score["layers"]) for score in report["scores"]} == set(combinations(range(4), 2))
    by_rule = {rule: row["layers"] for row in report["rows"] for rule in row["rules"]}
    assert by_rule.items() >= rules.items()
    assert set(by_rule) == {*rules, *MEASURED_RULES}
    assert [row["rank"] for row in report["rows"]] == list(range(1, len(report["rows"]) + 1))
    losses = [row["loss_nats"] for row in report["rows"]]
    assert losses == sorted(losses)
    best_zero_shot = min(report["scores"], key=lambda score: score["loss_nats"])["layers"]
    assert best_zero_shot in [row["layers"] for row in report["rows"]]
    assert report["spread"]["mean_nats"] == pytest.approx(losses[-1] - losses[0])

    again = ose(*command)
    assert again.status == 0, again.err
    assert f"{report['job']['name']} ({report['job']['id']}): 2 of 4 layers, 6 subsets scored" in again.out
    assert f"layers: {report['rows'][0]['layers']}" in again.out
    [only] = json.loads(ose("job", "list", "--format", "json").out)
    assert (only["id"], only["name"]) == (report["job"]["id"], "tiny-layers-2")
    board = json.loads(ose("leaderboard", only["id"], "--format", "json").out)
    assert [row["layers"] for row in board["rows"]] == [row["layers"] for row in report["rows"]]
    assert len({row["latency_p50_ms"] for row in board["rows"]}) == 1


class Stop(Silence):
    """Interrupts the third candidate."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.notes = [*getattr(self, "notes", []), note]
        if sum("nats" in note for note in self.notes) == 2:
            raise KeyboardInterrupt


@pytest.mark.long("`make test` makes one that is not stopped, and stops searches")
def test_a_comparison_goes_on_where_it_was_stopped(ose, job, tmp_path):
    question = LayerQuestion(keep=3, steps=1, top=1)
    with pytest.raises(KeyboardInterrupt), Workspace(tmp_path / "home", Stop()) as workspace:
        workspace.layers(job, question)
    with Workspace(tmp_path / "home") as workspace:
        [stopped] = workspace.jobs()
        before = {each.number: each.evaluation for each in workspace.store.candidates(stopped.id) if each.evaluation}
        report = workspace.layers(job, question)
        assert report.job["id"] == stopped.id
        assert len(before) == 2 and len(report.rows) == 4
        after = workspace.store.candidates(stopped.id)
        assert all(each.evaluation == before[each.number] for each in after if each.number in before)
        assert report == workspace.layers(job, question)


def test_layers_as_an_axis_from_the_job_file_to_the_export(ose, job, write, tmp_path):
    job["space"] |= {"num_hidden_layers": [2], "hidden_size": [32], "layers": ["top", [0, 3], "distilbert"]}
    ran = ose("job", "run", write(job))
    assert ran.status == 0, ran.err
    assert " layers " in ran.out and "2,3" in ran.out
    job_id = json.loads(ose("job", "list", "--format", "json").out)[0]["id"]
    rows = json.loads(ose("leaderboard", job_id, "--order-by", "candidate", "--format", "json").out)["rows"]
    assert [row["layers"] for row in rows] == [[0, 3], [2, 3]]
    assert rows[0]["loss_nats"] != rows[1]["loss_nats"]
    assert '"[2, 3]"' in ose("leaderboard", job_id, "--format", "csv").out

    assert ose("distill", job_id, "--candidate", 2, "--steps", 1).status == 0
    assert ose("export", job_id, "--candidate", 2, "--output", tmp_path / "student").status == 0
    manifest = json.loads((tmp_path / "student" / "ose_manifest.json").read_text())
    assert manifest["student"]["layers"] == [2, 3]


@pytest.mark.long("`make test` shows those that differ")
def test_layers_that_no_candidate_differs_in_are_not_shown(ose, job, write, tmp_path):
    job["search"]["inheritance"] = {"layers": "bottom"}
    ran = ose("job", "run", write(job))
    assert ran.status == 0 and " layers " not in ran.out
    job_id = json.loads(ose("job", "list", "--format", "json").out)[0]["id"]
    rows = json.loads(ose("leaderboard", job_id, "--format", "json").out)["rows"]
    assert {tuple(row["layers"]) for row in rows} == {(0,), (0, 1)}


def test_a_space_shows_its_layers(ose, tmp_path, tiny_roberta):
    space = tmp_path / "space.yaml"
    space.write_text(
        "{num_hidden_layers: [1, 2], num_attention_heads: [2], hidden_size: [8], intermediate_size: [8],"
        " layers: [bottom, alternate, [1, 2]], embedding: {vocab_size: 10, max_position_embeddings: 8}}"
    )
    shown = json.loads(ose("space", "show", space, "--format", "json").out)
    assert [member["layers"] for member in shown["members"]] == ["alternate", "bottom", "alternate", "bottom", [1, 2]]
    assert shown["size"] == 5
    strided = json.loads(ose("space", "show", space, "--epsilon", "2", "--format", "json").out)
    assert strided == {**shown, "members": shown["members"][::2]}
    assert "kept" in ose("space", "show", space).out and "1,2" in ose("space", "show", space).out
    of_teacher = json.loads(ose("space", "show", space, "--teacher", tiny_roberta, "--format", "json").out)
    assert [member["layers"] for member in of_teacher["members"]] == ["alternate", "alternate", "bottom", [1, 2]]
    assert "kept" not in ose("space", "show", "quickstart").out
