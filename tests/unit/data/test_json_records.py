from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ose.data import unpacking
from ose.data.json_records import iter_json, iter_json_array
from ose.data.records import BLANK
from ose.errors import CorpusError

ROWS = [{"text": f'Grüße {number} ]}}"\\', "label": [number, {"a": [1]}]} for number in range(500)]


def refusal(path: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        list(iter_json(path))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 16])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_gives_its_objects_wherever_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, block_bytes: int
):
    monkeypatch.setattr(unpacking, "_BLOCK_BYTES", block_bytes)
    path = tmp_path / "a.json"
    path.write_text("\ufeff \n" + json.dumps(ROWS, indent=indent, ensure_ascii=False) + "\n")
    records = list(iter_json(path))
    assert [record.values for record in records] == ROWS
    assert records[6].place == f"{path}, row 7"


def test_the_first_character_tells_an_array_from_lines(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text('\n{"a": 1}\n \n{"a": 2}\n')
    assert [record.values for record in iter_json(path) if record.problem != BLANK] == [{"a": 1}, {"a": 2}]
    path.write_text("[]")
    assert list(iter_json(path)) == []
    path.write_text("")
    assert list(iter_json(path)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", ", row 1: must hold a JSON object"),
        ('[{"a": 1}, null]', ", row 2: must hold a JSON object"),
        ('[{"a": 1} {"a": 2}]', ", behind row 1: a comma or the array's end is missing"),
        ('[{"a": 1},]', ", row 2: must hold a JSON object"),
        ('[{"a": 1}', ", behind row 1: a comma or the array's end is missing"),
        ('[{"a": 1}] {"a": 2}', ": something follows the array"),
        ('[{"a": 1}, {"a": ', ", row 2: is no valid JSON"),
        ('[{"a": x}]', ", row 1: is no valid JSON"),
        ("[" * 100_000, ", row 1: must hold a JSON object"),
        ('[{"a": ' + "[" * 100_000, ", row 1: is no valid JSON: maximum recursion depth"),
        ('[{"a": ' + "9" * 5_000 + "}]", ", row 1: is no valid JSON: Exceeds the limit"),
        ('[{"a": "\0"}]', ", row 1: is no valid JSON: Invalid control character"),
    ],
    ids=lambda text: text[:30],
)
def test_a_broken_array_is_one_line_with_its_row(tmp_path: Path, content: str, message: str):
    path = tmp_path / "a.json"
    path.write_text(content)
    assert message in refusal(path)


def test_an_array_is_text_in_utf8(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"a": "\xff"}]')
    assert refusal(path) == " is no UTF-8 text"
    path.write_bytes('[{"a": "ü"}]'.encode()[:-4])
    assert refusal(path) == " is no UTF-8 text"


def test_an_object_is_no_longer_than_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OSE_MAX_LINE_BYTES", "200000")
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"a": "x" * 150_000}] * 3))
    assert len(list(iter_json_array(path))) == 3
    path.write_text(json.dumps([{"a": 1}, {"a": "x" * 900_000}]))
    assert ", row 2: is no valid JSON, or longer than 200,000 bytes (OSE_MAX_LINE_BYTES)" in refusal(path)


def test_an_archive_with_an_array_that_grows_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unpacking, "_FREE_BYTES", 1000)
    monkeypatch.setenv("OSE_MAX_EXPANSION", "5")
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b'[{"a": 1}' + b" " * 1_000_000 + b"]"))
    assert "grows to more than 5 times its size (OSE_MAX_EXPANSION)" in refusal(path)
