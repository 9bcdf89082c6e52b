from __future__ import annotations

from pathlib import Path

import pytest

from ose.errors import JobFileError
from ose.inputs.yaml_text import parse_mapping, read_mapping


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "job.yaml: is empty"),
        (b"# only a comment\n", "job.yaml: is empty"),
        (b"- a\n- b\n", "job.yaml: must hold keys and values, not a list"),
        (b"name: [1, 2\nother: 3\n", "job.yaml: line 2, column 6: is no valid YAML"),
        (b"a: 1\n\tb: 2\n", "job.yaml: line 2, column 1: is no valid YAML"),
        (b"name: a\nsteps: 3\nname: b\n", "job.yaml: line 3, column 1: is no valid YAML: key 'name' is given twice"),
        (b"a: !!python/object/apply:os.system [ls]\n", "job.yaml: line 1, column 4: is no valid YAML"),
        (
            b"name: a\nbase: &b {c: 1}\nmine: {<<: *b, c: 2, c: 3}\n",
            "line 3, column 22: is no valid YAML: key 'c' is given",
        ),
        (b"name: a\n1: 2\n", "job.yaml: line 2, column 1: is no valid YAML: a key is no text; quote it"),
        (b"[a]: 2\n", "job.yaml: line 1, column 1: is no valid YAML: a key is no text; quote it"),
        (b"a: !!set {b}\n", "job.yaml: line 1, column 4: is no valid YAML"),
        (b"a: !!int ''\n", "job.yaml: is no valid YAML"),
        (b"a: !!bool x\n", "job.yaml: is no valid YAML"),
        (b"%YAML 1.3\n---\na: 1\n", "job.yaml: is no valid YAML"),
        (b"a: \x01\n", "job.yaml: is no valid YAML"),
        (b"name: caf\xe9\n", "job.yaml: is no UTF-8 text (byte 9 cannot be decoded)"),
        (b"a: " + b"[" * 5000, "is no valid YAML"),
        (b"name: [1, 2\nother: 3\n", "; is name in line 1, column 7, not closed?"),
        (b"a:\n  b: {c: 1\n  d: 2\n", "; is b in line 2, column 6, not closed?"),
        (
            b"a: [b: 1, c: 2]\n",
            "line 1, column 5: is no valid YAML: in a list, b: ... is a mapping of one key by itself",
        ),
        (b"a: {b: [c, d: 2]}\n", "in a list, d: ... is a mapping of one key by itself; put braces"),
        (b"a: {b: 1,000}\n", "a key is no text; quote it, and write numbers without commas"),
        (b"%YAML 1.1\n---\na: 1:30\n", "job.yaml: %YAML 1.1 reads 1:30 as 90 and yes as true"),
    ],
)
def test_a_broken_file_is_one_line_with_its_place(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "job.yaml"
    path.write_bytes(content)
    with pytest.raises(JobFileError) as caught:
        read_mapping(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path):
    with pytest.raises(JobFileError, match=r"none\.yaml: no such file"):
        read_mapping(tmp_path / "none.yaml")
    with pytest.raises(JobFileError, match="is a folder"):
        read_mapping(tmp_path)
    with pytest.raises(JobFileError, match="cannot be read"):
        read_mapping(tmp_path / "null\0byte")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-4", 5e-4),
        ("1e3", 1000.0),
        ("no", "no"),
        ("1:30", "1:30"),
        ("[{b: 1, c: 2}]", [{"b": 1, "c": 2}]),
        ("010", 10),
        ("0o10", 8),
        ("~", None),
        ("2024-13-45", "2024-13-45"),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object):
    assert parse_mapping(f"a: {text}", "job") == {"a": value}


def test_merge_keys_may_be_overridden():
    assert parse_mapping("base: &base {a: 1}\nmine: {<<: *base, a: 2}", "job")["mine"] == {"a": 2}


def test_what_unfolds_counts_each_time_it_stands_for_something(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OSE_MAX_YAML_VALUES", "100")
    for count, passes in ((10, True), (30, False)):
        text = f"a: &a [1, 2, 3, 4]\nb: [{', '.join(['*a'] * count)}]"
        if passes:
            assert len(parse_mapping(text, "job")["b"]) == count
        else:
            with pytest.raises(JobFileError, match=r"more than 100 values \(OSE_MAX_YAML_VALUES\)"):
                parse_mapping(text, "job")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [*a]", "an alias stands inside of what it names"),
        ("a: " + "[" * 40 + "]" * 40, "nested too deeply"),
        ("a: 0x" + "f" * 200, "too long for what is no text"),
        ("a: 1" + "_1" * 200, "too long for what is no text"),
    ],
)
def test_what_would_take_long_is_refused_with_its_place(text: str, message: str):
    with pytest.raises(JobFileError, match=r"job: line 1, column \d+: .*" + message):
        parse_mapping(text, "job")


def test_a_file_above_the_limit_is_not_parsed(tmp_path: Path):
    path = tmp_path / "job.yaml"
    path.write_text("# " * 200_000)
    with pytest.raises(JobFileError, match=r"more than 200,000 bytes \(OSE_MAX_YAML_BYTES\)"):
        read_mapping(path)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("1e6", 10**6, int),
        ("1.5E+3", 1500, int),
        ("2.5e0", 2.5, float),
        ("100.0", 100.0, float),
        ("1e300", 1e300, float),
    ],
)
def test_a_power_of_ten_without_a_fraction_is_whole(text: str, value: float, kind: type):
    content = parse_mapping(f"a: {text}", "job.yaml")
    assert content == {"a": value} and type(content["a"]) is kind
