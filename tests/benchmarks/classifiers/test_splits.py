"""Held-out parts that share nothing with what is trained on."""

from __future__ import annotations

import csv
import lzma
from pathlib import Path

import pytest

from benchmarks.classifiers.splits import components, held_out_sentences, outermost, write_sst2

LINES = ["a fine film", "fine film", "film", "a dull play", "dull", "a fine film indeed", "play", "a fine film"]


def test_lines_inside_others_are_no_sentences() -> None:
    assert outermost(LINES) == ["a fine film indeed", "a dull play"]
    assert outermost(["film a", "a film"]) == ["a film", "film a"]


def test_all_lines_of_a_sentence_are_held_out_with_it() -> None:
    for count, whole in ((1, 1), (2, 2)):
        numbers = held_out_sentences(LINES, count)
        assert len(set(numbers.values())) == whole
    assert {"a", "fine", "a fine film", "indeed", "dull play"} <= set(numbers)
    assert numbers["fine film"] == numbers["a fine film indeed"] != numbers["dull"]


def test_pairs_that_share_a_sentence_are_together() -> None:
    first, second, third, fourth = components([("a", "b"), ("c", "d"), ("b", "e"), ("f", "f")])
    assert first == third and len({first, second, fourth}) == 3


def test_no_line_is_on_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.classifiers.splits.NUM_HELD_OUT", 1)
    (tmp_path / "sst2").mkdir()
    for part in ("train", "dev"):
        with lzma.open(tmp_path / "sst2" / f"{part}.tsv.xz", "wt", encoding="utf8") as file:
            file.write("sentence\tlabel\n" + "".join(f"{line} \t{len(line) % 2}\n" for line in LINES))
    write_sst2(tmp_path, tmp_path / "out")
    parts = {name: sentences(tmp_path / "out" / f"{name}.csv") for name in ("train", "validation", "official")}
    assert set(parts["train"]) and set(parts["validation"]) and not set(parts["train"]) & set(parts["validation"])
    assert sorted(parts["train"] + parts["validation"]) == sorted(parts["official"]) == sorted(LINES)


def sentences(file: Path) -> list[str]:
    with file.open(encoding="utf8", newline="") as lines:
        return [row["sentence"] for row in csv.DictReader(lines)]
