import argparse
import inspect
import sysconfig
from itertools import islice
from pathlib import Path

import pytest

from ose.data.docstrings import HELD_OUT_SHARE, MIN_CHARACTERS, docstrings_of, iter_docstrings

SOURCE = '''
"""{long}"""
class A:
    """{long} A
        indented
    """
    async def f(self):
        """Too short."""
        "{long} not documentation"
'''


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only modules are ours."""
    paths = {"stdlib": str(tmp_path), "purelib": str(tmp_path), "platlib": str(tmp_path)}
    monkeypatch.setattr(sysconfig, "get_paths", lambda: paths)
    return tmp_path


def document(library: Path, name: str, text: str) -> str:
    text += " word" * (MIN_CHARACTERS // 5)
    path = library / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'"""{text}"""\n', encoding="utf8")
    return text


def test_a_real_module_gives_its_own_documentation() -> None:
    found = docstrings_of(Path(argparse.__file__))
    assert inspect.cleandoc(argparse.__doc__ or "") in found
    assert inspect.getdoc(argparse.ArgumentParser) in found
    assert all(len(text) >= MIN_CHARACTERS for text in found)


def test_only_long_documentation_strings_count(tmp_path: Path) -> None:
    long = "word " * (MIN_CHARACTERS // 5) + "end"
    (tmp_path / "a.py").write_text(SOURCE.format(long=long), encoding="utf8")
    assert docstrings_of(tmp_path / "a.py") == [long, f"{long} A\nindented"]


@pytest.mark.parametrize(
    "content",
    [b"def broken(:", b"\xff\xfe not text", b"x = '\0'", b"(" * 10_000, b"-" * 100_000 + b"1", b"x" + b".a" * 100_000],
    ids=["syntax", "encoding", "null byte", "parentheses", "too deep for the parser", "too deep for the tree"],
)
def test_a_file_that_does_not_parse_gives_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_bytes(content)
    assert docstrings_of(tmp_path / "broken.py") == []


def test_a_missing_file_gives_nothing(tmp_path: Path) -> None:
    assert docstrings_of(tmp_path / "missing.py") == []


def test_the_sides_of_the_split_are_disjoint_and_complete(library: Path) -> None:
    texts = {document(library, f"package/module_{number}.py", str(number)) for number in range(400)}
    training, held_out = set(iter_docstrings(held_out=False)), set(iter_docstrings(held_out=True))
    assert not training & held_out
    assert training | held_out == texts
    assert len(held_out) == pytest.approx(400 * HELD_OUT_SHARE, abs=12)


def test_what_else_is_installed_moves_no_module_to_the_other_side(library: Path) -> None:
    for number in range(100):
        document(library, f"module_{number}.py", str(number))
    before = list(iter_docstrings(held_out=True))
    for number in range(100):
        document(library, f"other/module_{number}.py", f"other {number}")
    after = [text for text in iter_docstrings(held_out=True) if not text.startswith("other")]
    assert before == after


def test_a_string_that_modules_copy_from_one_another_comes_once(library: Path) -> None:
    for number in range(20):
        document(library, f"module_{number}.py", "copied")
    assert len(list(iter_docstrings(held_out=False))) == 1


def test_tests_and_other_folders_of_no_interest_are_skipped(library: Path) -> None:
    kept = document(library, "package/module.py", "kept")
    for folder in ("tests", "package/test", "site-packages"):
        document(library, f"{folder}/module.py", folder)
    assert [*iter_docstrings(held_out=False), *iter_docstrings(held_out=True)] == [kept]


def test_this_machine_has_text() -> None:
    assert len(list(islice(iter_docstrings(held_out=False), 200))) == 200
