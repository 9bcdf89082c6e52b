"""The page about deploying, command by command, with a small classifier in the place of a job's student.

Covers docs/DEPLOYING.md, examples/onnx_classifier.py and ose/cli/students.py.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from classifiers import put_teacher
from labelled import bracket_rows, write_table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "DEPLOYING.md").read_text(encoding="utf8")
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, flags=re.MULTILINE)
NEEDED = ("onnxruntime", "numpy", "tokenizers", "flatbuffers", "packaging", "google")
"""What `pip install onnxruntime tokenizers` brings, as far as it is imported."""


def environment_of(folder: Path) -> list[str]:
    """Python that sees these packages and no others."""
    folder.mkdir()
    for name in NEEDED:
        spec = find_spec(name)
        assert spec is not None and spec.submodule_search_locations
        place = next(each for each in spec.submodule_search_locations if Path(each).is_dir())
        (folder / name).symlink_to(place)
    return [sys.executable, "-S"]


@pytest.mark.long("`make test` exports, quantises and judges in tests/contracts/test_onnx_exports.py")
def test_every_command_of_the_page_runs(
    ose, tiny_bert: Path, real_text: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put_teacher(Path("model"), "bert", tiny_bert, id2label={0: "no", 1: "yes"})
    write_table(Path("validation.csv"), bracket_rows(real_text, 400), ("sentence", "label"))
    python = environment_of(tmp_path / "site")
    alone = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    printed = ""
    for command in COMMANDS:
        program, *arguments = shlex.split(command.replace("JOB", "model"))
        if program == "ose":
            done = ose(*arguments)
            assert done.status == 0, f"{command}: {done.err}"
            printed += done.out
        else:
            script, *others = arguments
            shown = subprocess.run([*python, ROOT / script, *others], env=alone, capture_output=True, text=True)
            assert shown.returncode == 0, shown.stderr
            printed += shown.stdout
    assert len(COMMANDS) == 6 and "A text. -> " in printed and "the gate " in printed
    assert json.loads(Path("student-int8/ose_manifest.json").read_text())["onnx"]["gate"]["outcome"]
    without = subprocess.run([*python, "-c", "import torch"], env=alone, capture_output=True, text=True)
    assert "No module named 'torch'" in without.stderr


def test_mistakes_are_one_line(ose, tiny_bert: Path, tmp_path: Path) -> None:
    teacher = put_teacher(tmp_path / "model", "bert", tiny_bert, id2label={0: "no", 1: "yes"})
    onnx = ("export", teacher, "--runtime", "onnxruntime", "--output", tmp_path / "onnx")
    for arguments, told in (
        ((*onnx, "--quantize", "int8-dynamic"), "the gate holds int8 against float32 on held-out text: name some"),
        ((*onnx, "--quantize", "int8-dynamic", "--gate", "much"), "--gate must be a share as 1% or 0.01, or off"),
        ((*onnx, "--quantize", "int8-static", "--gate", "off"), "name some with --calibration FILE"),
        ((*onnx, "--data", "x.csv"), "text is for quantising alone"),
        (("export", "3f9c", "--quantize", "int8-dynamic"), "are for ONNX: add --runtime onnxruntime"),
        (("--server", "http://127.0.0.1:9", "export", "3f9c", *onnx[2:]), "a service exports for transformers"),
    ):
        done = ose(*arguments)
        assert (done.status, done.err.count("\n")) == (2, 1), done.err
        assert told in done.err
