"""Tokens are counted as transformers makes them, by libraries that load no torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ose.errors import TeacherError
from ose.inputs.token_counts import CountTokens, token_counter
from ose.tasks.teacher_folder import TeacherFolder

TEXTS = [
    ("A good film.", None),
    ("Ünïcode über alles, e.g. naïve cafés; don't!", None),
    ("Is it so?", "It is, as far as anybody can tell: " + "word " * 90),
]


def counter(folder: Path) -> CountTokens:
    count = token_counter(TeacherFolder(folder))
    assert count is not None
    return count


def counted_by_transformers(folder: Path) -> list[int]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [len(tokenizer(*pair, truncation=False, padding=False, verbose=False)["input_ids"]) for pair in TEXTS]


@pytest.fixture(params=["tiny_roberta", "tiny_bert"])
def teacher(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(request.getfixturevalue(request.param), tmp_path / "teacher"))


def test_counts_are_those_of_transformers(teacher: Path) -> None:
    count = counter(teacher)
    assert [count(*pair) for pair in TEXTS] == counted_by_transformers(teacher)


def test_cutting_and_padding_that_the_file_asks_for_bend_nothing(teacher: Path) -> None:
    from tokenizers import Tokenizer

    expected = counted_by_transformers(teacher)
    tokenizer = Tokenizer.from_file(str(teacher / "tokenizer.json"))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=32)
    tokenizer.save(str(teacher / "tokenizer.json"))
    count = counter(teacher)
    assert [count(*pair) for pair in TEXTS] == expected


def test_a_vocabulary_alone_is_enough(tiny_bert: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    for teacher, name in ((tiny_bert, "bert"), (tiny_roberta, "roberta")):
        expected, folder = counted_by_transformers(teacher), tmp_path / name
        folder.mkdir()
        model = json.loads((teacher / "tokenizer.json").read_text())["model"]
        if name == "bert":
            words = sorted(model["vocab"], key=model["vocab"].get)
            (folder / "vocab.txt").write_text("\n".join(words) + "\n")
        else:
            (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
            merges = [" ".join(each) if isinstance(each, list) else each for each in model["merges"]]
            (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
        count = counter(folder)
        assert [count(*pair) for pair in TEXTS] == expected, name


def test_a_sentencepiece_model_alone_is_left_to_transformers(tmp_path: Path) -> None:
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"\x0a")
    assert token_counter(TeacherFolder(tmp_path)) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", '{"model": {"type": "Unknown"}}'),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "\udcff"),
        ("vocab.txt", "one\ntwo\n"),
    ],
)
def test_a_broken_tokenizer_is_one_line(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, errors="surrogateescape")
    with pytest.raises(TeacherError) as refused:
        token_counter(TeacherFolder(tmp_path))
    assert len(str(refused.value).splitlines()) == 1 and str(tmp_path) in str(refused.value)


@pytest.mark.processes
def test_nothing_heavy_is_loaded(tiny_bert: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ose.inputs.token_counts import token_counter; "
        "from ose.tasks.teacher_folder import TeacherFolder; "
        f"assert token_counter(TeacherFolder(Path({str(tiny_bert)!r})))('a b', None) > 2; "
        "print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
