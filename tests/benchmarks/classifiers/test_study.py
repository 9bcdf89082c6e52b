"""The whole study at toy size: from an encoder and parts to a report, in units that outlive their process."""

from __future__ import annotations

import csv
from argparse import Namespace
from pathlib import Path

import pytest
from toy_study import TOY, ByOperations, put_toy_study

import ose
from benchmarks.classifiers.found import Found
from benchmarks.classifiers.judged import hits, read_part
from benchmarks.classifiers.sizes import RIVALS, STUDENTS
from benchmarks.classifiers.study import run
from benchmarks.classifiers.study_report import write_report
from ose.core.spec import CorpusSpec

pytestmark = [
    pytest.mark.processes,
    pytest.mark.long("ten small jobs of commands that tests/end_to_end runs one by one"),
]

PLACE = "brackets/third"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, real_text: list[str]) -> Namespace:
    """Of a study that is done, but for its last looks."""
    options = put_toy_study(tmp_path_factory.mktemp("toy"), real_text)
    assert run(options, TOY, timer_of=ByOperations) == []
    return options


@pytest.fixture(scope="module")
def found(options: Namespace) -> Found:
    return Found(TOY, options.output, options.splits)


def test_rivals_lie_at_the_latency_of_the_choice(found: Found) -> None:
    choice = found.results[f"{PLACE}/choice"]
    assert choice["share"] <= 0.34
    for name in RIVALS:
        assert found.results[f"{PLACE}/{name}"]["share"] == pytest.approx(choice["share"], rel=0.05)


def test_every_student_has_its_seeds(found: Found) -> None:
    assert {name: len(units) for name, units in found.students("brackets", "third").items()} == dict.fromkeys(
        STUDENTS, 2
    )
    assert found.get("order/1") is not None and found.get("language/language/seed-1") is not None


def test_the_choice_is_the_best_that_is_fast_enough(found: Found, options: Namespace) -> None:
    timer = ByOperations(options.output / "teachers" / "brackets", TOY.latency_tokens, 1)
    from benchmarks.classifiers.task_search import shape_of

    within = [row for row in found.results["brackets/search"]["candidates"] if timer.share(shape_of(row)) <= 0.34]
    best = min(within, key=lambda row: row["loss_nats"])
    assert found.results[f"{PLACE}/choice"]["candidate"] == best["candidate"]


def test_hits_are_what_ose_evaluate_counts(options: Namespace) -> None:
    sizes, teacher = TOY.tasks["brackets"], options.output / "teachers" / "brackets"
    part = read_part(options.splits / "brackets/official.csv", sizes)
    own = hits(teacher, teacher, part)
    with ose.Workspace(options.output / "home") as workspace:
        corpus = CorpusSpec(train=(str(options.splits / "brackets/official.csv"),), columns=sizes.columns)
        report = workspace.evaluate(teacher, corpus, sequence_length=32)
    assert own.count("1") / len(own) == pytest.approx(report.models[0].metrics["accuracy"].value)


def test_the_official_part_is_looked_at_once_and_last(options: Namespace, tmp_path: Path) -> None:
    gone = options.output / "results" / f"{PLACE}/choice/seed-1.json"
    content = gone.read_text(encoding="utf8")
    gone.unlink()
    last = Namespace(**{**vars(options), "only": "official"})
    with pytest.raises(SystemExit, match="1 units are not done yet, among them brackets/third/choice/seed-1"):
        run(last, TOY, timer_of=ByOperations)
    gone.write_text(content, encoding="utf8")
    run(last, TOY, timer_of=ByOperations)
    looked_at = (options.output / "results/official/brackets.json").read_bytes()
    run(last, TOY, timer_of=ByOperations)
    assert (options.output / "results/official/brackets.json").read_bytes() == looked_at

    run(Namespace(**{**vars(options), "only": "latencies"}), TOY, timer_of=ByOperations)
    text = write_report(Found(TOY, options.output, options.splits), tmp_path)
    assert "not done yet" not in text and "over 1 of 1" in text
    with (tmp_path / "students.csv").open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and all(row["accuracy_official"] for row in rows)
    assert {"latencies.csv", "candidates.csv", "order.csv", "layers.csv"} <= {each.name for each in tmp_path.iterdir()}


def test_a_report_of_nothing_says_that_nothing_is_done(options: Namespace, tmp_path: Path) -> None:
    text = write_report(Found(TOY, tmp_path / "empty", options.splits), tmp_path)
    assert text.count("not done yet") > 6
