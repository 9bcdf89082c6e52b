"""SST-2, CLINC150 and STS-B as CSV files with a held-out part that does not leak.

    python benchmarks/classifiers/splits.py --data DATA --output FOLDER

DATA has the folders `sst2`, `clinc150` and `stsb` with the files that their publishers have, compressed by xz. For each
task FOLDER gets `train.csv`, `validation.csv` and `official.csv`; the last is the official development part (of CLINC150
the test part), which is for looking at once, at the end.

SST-2's training part holds phrases of its sentences, so a random cut leaks. Of the lines that stand inside no other line
900 are held out, with all lines that stand inside them, and none of these stays in training. The column `sentence_id`
says which lines belong to one sentence: they are one item for errors. Of the two others the publishers' own validation
part is held out; of STS-B, whose official part that is, every sixth pair of training with all that share a sentence with
it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

NUM_HELD_OUT = 900
_STSB_SHARE = 6

Row = Sequence[object]


def outermost(lines: Iterable[str]) -> list[str]:
    """The distinct lines that are no run of words of another one, the longest first."""
    inside: set[tuple[str, ...]] = set()
    found = []
    for words in sorted({tuple(line.split()) for line in lines}, key=lambda each: (-len(each), each)):
        if words not in inside:
            found.append(words)
            inside.update(runs_of(words))
    return [" ".join(words) for words in found]


def runs_of(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All runs of neighbouring words, the whole among them."""
    for first in range(len(words)):
        for last in range(first + 1, len(words) + 1):
            yield words[first:last]


def held_out_sentences(lines: Iterable[str], count: int) -> dict[str, int]:
    """Every line that stands inside one of `count` outermost lines, with the number of the first such sentence.

    Which sentences these are follows from their text alone.
    """
    chosen = sorted(outermost(lines), key=position)[:count]
    numbers: dict[str, int] = {}
    for number, sentence in enumerate(chosen):
        for run in runs_of(tuple(sentence.split())):
            numbers.setdefault(" ".join(run), number)
    return numbers


def position(text: str) -> int:
    """A number that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def components(pairs: Sequence[tuple[str, str]]) -> list[int]:
    """For each pair a number that it shares with all pairs to which sentences lead."""
    parents: dict[str, str] = {}

    def root(sentence: str) -> str:
        while parents.setdefault(sentence, sentence) != sentence:
            parents[sentence] = parents[parents[sentence]]
            sentence = parents[sentence]
        return sentence

    for first, second in pairs:
        parents[root(first)] = root(second)
    return [position(root(first)) for first, _ in pairs]


def write_sst2(data: Path, folder: Path) -> None:
    """Write SST-2's parts."""
    train = [(row["sentence"].strip(), int(row["label"])) for row in _table(data / "sst2" / "train.tsv.xz")]
    numbers = held_out_sentences((text for text, _ in train), NUM_HELD_OUT)
    inside = [" ".join(text.split()) in numbers for text, _ in train]
    kept = [row for row, is_inside in zip(train, inside, strict=True) if not is_inside]
    held = [(*row, numbers[" ".join(row[0].split())]) for row, is_in in zip(train, inside, strict=True) if is_in]
    _write(folder / "train.csv", ("sentence", "label"), kept)
    _write(folder / "validation.csv", ("sentence", "label", "sentence_id"), held)
    official = [(row["sentence"].strip(), int(row["label"])) for row in _table(data / "sst2" / "dev.tsv.xz")]
    _write(folder / "official.csv", ("sentence", "label"), official)


def write_clinc150(data: Path, folder: Path) -> None:
    """Write CLINC150's parts, without what is out of its scope."""
    with lzma.open(data / "clinc150" / "data_full.json.xz", "rt", encoding="utf8") as file:
        content = json.load(file)
    for name, part in (("train", "train"), ("validation", "val"), ("official", "test")):
        _write(folder / f"{name}.csv", ("text", "intent"), content[part])


def write_stsb(data: Path, folder: Path) -> None:
    """Write STS-B's parts, its scores between 0 and 1 as cross-encoders have them."""
    parts = {name: list(_table(data / "stsb" / f"{name}.tsv.xz")) for name in ("train", "dev")}
    header = ("sentence1", "sentence2", "score")
    rows = {name: [_pair(row) for row in part] for name, part in parts.items()}
    groups = components([row[:2] for row in rows["train"]])
    held = [group % _STSB_SHARE == 0 for group in groups]
    _write(folder / "train.csv", header, [row for row, is_held in zip(rows["train"], held, strict=True) if not is_held])
    _write(
        folder / "validation.csv", header, [row for row, is_held in zip(rows["train"], held, strict=True) if is_held]
    )
    _write(folder / "official.csv", header, rows["dev"])


TASKS = {"sst2": write_sst2, "clinc150": write_clinc150, "stsb": write_stsb}


def _pair(row: dict[str, str]) -> tuple[str, str, float]:
    return row["sentence1"].strip(), row["sentence2"].strip(), float(row["score"]) / 5


def _table(path: Path) -> Iterator[dict[str, str]]:
    with lzma.open(path, "rt", encoding="utf8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def _write(path: Path, header: Row, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def main() -> None:
    """Write all parts, and say how many rows each has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    for task, write in TASKS.items():
        write(options.data, options.output / task)
        for file in sorted((options.output / task).glob("*.csv")):
            with file.open(encoding="utf8", newline="") as lines:
                print(f"{task} {file.stem}: {sum(1 for _ in csv.reader(lines)) - 1:,} rows")


if __name__ == "__main__":
    main()
