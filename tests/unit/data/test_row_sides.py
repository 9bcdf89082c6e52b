"""Tests ose/data/text_position.py."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from pathlib import Path

import pytest

from ose.core.job import CorpusFacts
from ose.core.spec import Columns, CorpusSpec
from ose.data.row_sides import draw_rows, is_held_out, iter_side, overlap_share
from ose.data.tables import Row, RowCount
from ose.data.unchanged import corpus_digest
from ose.errors import CorpusError

PLENTY = 10**9


def row(text: str, pair: str | None = None, query: str | None = None) -> Row:
    return Row(place="here", text=text, text_pair=pair, query_id=query)


def as_it_is(facts: CorpusFacts) -> CorpusFacts:
    return replace(facts, digest=corpus_digest(facts))


def corpus(path: Path, rows: list[dict[str, object]], **changes: object) -> tuple[CorpusFacts, CorpusSpec]:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    columns = Columns(**{name: name for name in rows[0]})
    facts = CorpusFacts(train=(str(path),), validation=(), digest="", size_bytes=1)
    return as_it_is(facts), CorpusSpec(train=(str(path),), columns=columns, **changes)


def test_sides_have_all_rows_between_them_and_no_text_in_both(tmp_path: Path):
    rows = [{"text": f"text {number % 700}", "label": number} for number in range(1000)]
    facts, spec = corpus(tmp_path / "a.csv", rows)
    train, validation = list(iter_side(facts, spec, "train")), list(iter_side(facts, spec, "validation"))
    assert sorted(int(each.label) for each in (*train, *validation)) == list(range(1000))
    assert not {each.text for each in train} & {each.text for each in validation}
    assert 60 < len(validation) < 140


def test_what_is_held_out_does_not_depend_on_the_order_or_on_other_rows(tmp_path: Path):
    rows = [{"text": f"text {number}"} for number in range(300)]
    before = {each.text for each in iter_side(*corpus(tmp_path / "a.csv", rows), "validation")}
    random.Random(0).shuffle(rows)
    after = {each.text for each in iter_side(*corpus(tmp_path / "b.csv", rows[:200]), "validation")}
    assert after == before & {each["text"] for each in rows[:200]} and after


def test_a_pair_is_held_out_as_a_whole_and_a_query_with_all_its_rows():
    pairs = {is_held_out(row("same", f"pair {number}")) for number in range(200)}
    assert pairs == {True, False}
    for query in range(50):
        assert len({is_held_out(row(f"text {n}", f"pair {n}", f"query {query}")) for n in range(20)}) == 1


def test_named_validation_files_are_the_held_out_side(tmp_path: Path):
    facts, spec = corpus(tmp_path / "a.csv", [{"text": f"text {number}"} for number in range(50)])
    corpus(tmp_path / "b.csv", [{"text": "other"}])
    facts = as_it_is(replace(facts, validation=(str(tmp_path / "b.csv"),)))
    assert len(list(iter_side(facts, spec, "train"))) == 50
    assert [each.text for each in iter_side(facts, spec, "validation")] == ["other"]


def test_bad_rows_are_counted_on_either_side_and_refused_above_the_share(tmp_path: Path):
    rows = [{"text": f"text {number}" if number % 50 else "", "label": 1} for number in range(500)]
    facts, spec = corpus(tmp_path / "a.csv", rows, skip_bad_rows=0.02)
    count = RowCount(allowed_share=spec.skip_bad_rows)
    num_train = sum(1 for _ in iter_side(facts, spec, "train", count))
    assert num_train + sum(1 for _ in iter_side(facts, spec, "validation")) == 490
    assert (count.num_rows, count.num_bad) == (500, 10)
    facts, spec = corpus(tmp_path / "b.csv", rows, skip_bad_rows=0.019)
    with pytest.raises(CorpusError, match="line 2: column 'text' is empty; 10 of 500 rows cannot be used"):
        list(iter_side(facts, spec, "train"))


def test_a_draw_is_by_hash_whatever_the_order_and_a_shorter_one_its_beginning():
    rows = [row(f"text {number}") for number in range(500)]
    drawn = draw_rows(rows, 100, 7, PLENTY)
    assert len({each.text for each in drawn}) == 100
    assert draw_rows(reversed(rows), 100, 7, PLENTY) == drawn
    assert draw_rows(rows, 30, 7, PLENTY) == drawn[:30]
    assert draw_rows(rows, 100, 8, PLENTY) != drawn
    assert sorted(draw_rows(rows, 1000, 7, PLENTY)) == sorted(rows)


def test_a_draw_keeps_no_more_text_than_it_may():
    rows = [row("x" * 100 + f"{number:03}") for number in range(500)]
    assert len(draw_rows(rows, 400, 0, 10_300)) == 100


def test_equal_texts_are_drawn_as_often_as_they_are_there():
    rows = [row("same")] * 10
    assert draw_rows(rows, 4, 0, PLENTY) == rows[:4]


def test_no_query_is_drawn_in_part():
    rows = [row(f"text {number}", None, f"query {number % 40}") for number in range(400)]
    drawn = draw_rows(rows, 95, 0, PLENTY)
    assert {sum(each.query_id == query for each in drawn) for query in {each.query_id for each in drawn}} == {10}
    assert len(drawn) == 90


@pytest.mark.slow
def test_the_share_that_also_stands_in_training_is_counted_by_rows_and_whole_pairs():
    train = [row(f"text {number}") for number in range(250_000)]
    validation = [row("text 3"), row("text 3"), row("text 249999"), row("new")]
    assert overlap_share(train, validation) == 0.75
    assert overlap_share([], validation) == 0.0 and overlap_share(train, []) == 0.0
    pairs = [row("a", "b"), row("ab", "c")]
    assert overlap_share(pairs, [row("a", "b"), row("a", "c"), row("a"), row("ab")]) == 0.25
