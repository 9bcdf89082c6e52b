r"""A stranger's words on a terminal, a page, a card or in a log: as text alone, on one line, and not without end.

Names, failures and answers of other machines are written by people and programs that a reader need not trust. What such
a text must not do is the same everywhere: move the cursor, hide or turn round what stands beside it, begin lines of
its own, or flood. So whatever has no picture of its own is written as Python writes it, `\x1b` or `\u202e`.
"""

from __future__ import annotations

import re
from unicodedata import category

NAME = 200
"""Characters of a name that are shown."""

LINE = 2_000
"""Characters of a line that are shown."""

BLOCK = 20_000
"""Characters of a text of several lines, such as a traceback, that are shown."""

_ELLIPSIS = "…"
_MOST_MARKS = 4
"""Accents on one letter; every language does with fewer."""

_BLANKS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks for Unicode, but nothing for the eye; what it calls unprintable needs no list."""

_MARKDOWN = re.compile(r"[\\`*_\[\]|~#$]")
_LINKS = re.compile(r"[<>&@]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
"""What HTML begins with, or what is made a link, a mention or a picture of without any brackets."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def shown(text: object, limit: int = LINE) -> str:
    """A text as one line that can be shown anywhere where text is not interpreted.

    Args:
        text: Anybody's; something else is turned into text first.
        limit: Characters of the answer at most; what is cut ends in an ellipsis.
    """
    raw = str(text)
    words = " ".join(raw[: 4 * limit].split())
    return _cut(_visible(words[: limit + 1]), limit, is_cut=len(raw) > 4 * limit)


def headline(text: object, limit: int = LINE) -> str:
    """The first line of a text that has several, shown."""
    return shown(str(text).strip().partition("\n")[0], limit)


def shown_block(text: object, limit: int = BLOCK) -> str:
    """A text of several lines; its line breaks stay, and of one that is too long the end."""
    raw = str(text)
    kept = raw if len(raw) <= limit else _ELLIPSIS + raw[-limit:]
    return "\n".join(_visible(line.expandtabs(4)) for line in kept.split("\n"))


def markdown(text: object, limit: int = NAME) -> str:
    """A text inside Markdown, where nothing in it is a mark: no link, no HTML, no heading."""
    return _LINKS.sub(_entity, _MARKDOWN.sub(r"\\\g<0>", shown(text, limit)))


def csv_cell(value: object) -> object:
    """A cell of a table: a text that a spreadsheet would run as a formula is marked as text; figures stay."""
    if not isinstance(value, str):
        return value
    text = shown(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def is_plain(text: str) -> bool:
    """Whether a text has neither line breaks nor control characters nor half characters."""
    return not any(category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text)


def storable(text: str) -> str:
    """A text that every database can hold: a null or half a character is written out."""
    return "".join(_escaped(each) if is_unstorable(each) else each for each in text) if is_unstorable(text) else text


def is_unstorable(text: str) -> bool:
    """Whether a text holds a null, or half a character, which no UTF-8 is made of."""
    return "\0" in text or any("\ud800" <= each <= "\udfff" for each in text)


def _visible(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    marks, pieces = _MOST_MARKS, []
    for each in line:
        is_mark = each > "\u02ff" and category(each) in ("Mn", "Me")
        marks = marks + 1 if is_mark else 0
        is_seen = each.isprintable() and marks <= _MOST_MARKS and not _BLANKS.match(each)
        pieces.append(each if is_seen else _escaped(each))
    return "".join(pieces)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(text: str, limit: int, *, is_cut: bool) -> str:
    return text[: limit - 1] + _ELLIPSIS if is_cut or len(text) > limit else text


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"
