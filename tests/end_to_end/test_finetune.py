"""From an encoder and a table to a classifier, as people do it.

Covers ose/cli/finetuning.py, ose/cli/evaluation.py, ose/cli/corpus_options.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labelled import bracket_rows, write_table
from processes import eventually
from processes import ose as started

COLUMNS = ("--text", "sentence", "--label", "kind")
QUICK = ("--steps", "40", "--batch-size", "8", "--sequence-length", "32", "--threads", "1", "--learning-rate", "1e-3")


@pytest.fixture
def tables(tmp_path: Path, real_text: list[str]) -> tuple[Path, Path]:
    rows = bracket_rows(real_text, 160)
    return write_table(tmp_path / "train.csv", rows[:120]), write_table(tmp_path / "dev.csv", rows[120:])


@pytest.mark.long("`make test` interrupts one in its process at each of its moments")
def test_a_fine_tuning_that_is_killed_goes_on_to_the_same_model(
    ose, tiny_roberta: Path, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    train, dev = tables
    home, data = tmp_path / "home", ("--data", train, "--validation", dev)
    command = ("finetune", tiny_roberta, *data, *COLUMNS, *QUICK, "--checkpoint-every", "2", "--output")
    with started(home, *map(str, command), str(tmp_path / "killed")) as run:
        assert eventually(lambda: bool(list(home.glob("artifacts/finetunings/*/seed-0/checkpoints/step-*"))), 120)
        run.kill()
    assert not (tmp_path / "killed").exists()
    for output in ("killed", "straight"):
        done = ose(*command, tmp_path / output)
        assert done.status == 0, done.err
    weights = [(tmp_path / each / "model.safetensors").read_bytes() for each in ("killed", "straight")]
    assert weights[0] == weights[1]


def test_seeds_are_tuned_and_judged_in_one_table(
    ose, tiny_roberta: Path, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    train, dev = tables
    output = tmp_path / "tuned"
    command = ("finetune", tiny_roberta, "--data", train, *COLUMNS, *QUICK, "--steps", "4", "--seeds", "2")
    done = ose(*command, "--output", output)
    assert done.status == 0, done.err
    assert "mean ± sd" in done.out and "labels no, yes" in done.out
    again = ose(*command, "--output", output, "--format", "json")
    report = json.loads(again.out)
    assert "Fine-tuning" not in again.err and len(report["models"]) == 2

    judged = ose(
        "evaluate",
        output / "seed-0",
        output / "seed-1",
        "--data",
        dev,
        *COLUMNS,
        "--teacher",
        output,
        "--format",
        "json",
    )
    found = json.loads(judged.out)
    assert found["models"][0]["differences"] == {} != found["models"][1]["differences"]
    assert found["models"][report["best_seed"]]["metrics"]["agreement"]["value"] == 1.0
    assert found["num_items"] == 40 and set(found["spread"]) == set(found["models"][0]["metrics"])
    table = ose("evaluate", output, "--data", dev, *COLUMNS, "--teacher", output / "seed-0")
    assert table.status == 0, table.err
    assert all(word in table.out for word in ("accuracy", "recall", "teacher says", "40 items"))


def test_a_masked_language_model_is_judged_by_text(
    ose, tiny_roberta: Path, real_text: list[str], tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(document.replace("\n", " ") for document in real_text[:20]))
    judged = ose("evaluate", tiny_roberta, "--data", text, "--sequence-length", "16", "--format", "json")
    assert list(json.loads(judged.out)["models"][0]["metrics"]) == ["masked_lm_loss_nats", "masked_accuracy"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--label", "kid"), "nearest: 'kind'"),
        (("--teacher", "nowhere"), "no such directory"),
        (("--sequence-length", "900"), "takes 64 tokens at most, not 900"),
        (("--device", "toaster"), "device must be cpu, cuda or cuda:N, not 'toaster'"),
    ],
)
def test_mistakes_are_one_line(
    change: tuple[str, ...], said: str, ose, tiny_classifier: Path, tables: tuple[Path, Path]
) -> None:
    refused = ose("evaluate", tiny_classifier, "--data", tables[1], *COLUMNS, *change)
    assert refused.status == 2
    assert said in refused.complaint


def test_what_is_no_classifier_is_one_line(ose, tmp_path: Path, tables: tuple[Path, Path]) -> None:
    (tmp_path / "empty").mkdir()
    refused = ose("evaluate", tmp_path / "empty", "--data", tables[1], *COLUMNS)
    assert refused.status == 2
    assert refused.complaint.endswith("has no config.json")
