import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ose.core.shown import LINE, csv_cell, headline, is_plain, markdown, shown, shown_block, storable

ANY = st.text(st.characters(), max_size=300)  # also halves of characters, which text() leaves out by itself
NASTY = st.text(st.sampled_from("\x00\x1b\x9b\u202e\u200b\u2028\ud800\ufeff\u0301a [/]*`<\n\t\r"), max_size=300)


@given(ANY | NASTY)
def test_whatever_is_shown_is_one_line_that_a_terminal_prints(text: str) -> None:
    line = shown(text)
    assert line.isprintable() and len(line) <= LINE
    line.encode()


@given(ANY | NASTY)
def test_what_is_shown_stays_as_it_is_when_it_is_shown_again(text: str) -> None:
    assert shown(shown(text)) == shown(text)
    assert shown_block(shown_block(text)) == shown_block(text)


@given(NASTY)
def test_lines_of_a_block_are_lines_and_nothing_else(text: str) -> None:
    block = shown_block(text)
    assert block.count("\n") == text.count("\n") and all(line.isprintable() for line in block.split("\n"))


@given(st.text("aé日עд", max_size=100), st.integers(1, 50))
def test_a_limit_holds_and_an_ellipsis_says_so(text: str, limit: int) -> None:
    line = shown(text, limit)
    assert len(line) <= limit and line.endswith("…") == (len(text) > limit)


@given(ANY | NASTY)
def test_no_letter_bears_a_heap_of_accents(text: str) -> None:
    marks = "".join("m" if unicodedata.category(each) in ("Mn", "Me") else "-" for each in shown("a" + text))
    assert "mmmmm" not in marks


@pytest.mark.parametrize(
    "name", ["minilm-on-laptop", "Größe", "検索 3", "поиск", "חיפוש", "việt ngữ", "✔ 👍", "a_b.c/d"]
)
def test_names_of_people_are_left_alone(name: str) -> None:
    assert shown(name) == name and is_plain(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\u202efdp.exe", r"\u202efdp.exe"),
        ("a\r\n\tb\u2028c", "a b c"),
        ("\u0301x", r"\u0301x"),
        ("\u3164", r"\u3164"),
        ("\U000e0041", r"\U000e0041"),
        (3, "3"),
    ],
)
def test_what_has_no_picture_is_written_out(text: object, expected: str) -> None:
    assert shown(text) == expected


def test_a_headline_is_the_first_line_that_says_something() -> None:
    assert headline("\n\n  out of memory\nTried to allocate") == "out of memory"
    assert headline("") == ""


def test_a_long_block_keeps_its_end() -> None:
    assert shown_block("a\n" * 1000 + "the cause", 30).endswith("the cause")
    assert len(shown_block("a\n" * 1000, 30)) <= 31


@given(st.text("[]()<>!*_`#|~\\$&:@ ahtp/.w", max_size=60))
def test_nothing_in_markdown_is_a_mark(text: str) -> None:
    bare = re.sub(r"\\.|&#\d+;", "", markdown(text))
    assert not re.search(r"[\\`*_\[\]<>|~#$@&]|:\S", bare)


@pytest.mark.parametrize(
    ("value", "cell"),
    [("=1+1", "'=1+1"), ("  +1", "'+1"), ("＝1", "'＝1"), ("top", "top"), (-1.5, -1.5), (None, None), ("a\nb", "a b")],
)
def test_a_cell_is_never_a_formula(value: object, cell: object) -> None:
    assert csv_cell(value) == cell


@given(ANY | NASTY)
def test_what_is_storable_is_utf8_without_nulls(text: str) -> None:
    assert b"\0" not in storable(text).encode()
    assert storable(storable(text)) == storable(text)


@pytest.mark.parametrize("text", ["a\0", "a\nb", "\x1b", "\ud800", "a\u2029"])
def test_a_name_of_other_than_letters_is_not_plain(text: str) -> None:
    assert not is_plain(text)
