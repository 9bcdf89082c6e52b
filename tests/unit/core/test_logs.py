import logging
import sys

from ose.core.logs import ShownFormatter


def _record(message: str, *arguments: object, error: bool = False) -> str:
    record = logging.LogRecord("ose", logging.ERROR, "", 0, message, arguments, sys.exc_info() if error else None)
    return ShownFormatter().format(record)


def test_a_message_is_one_line_however_it_was_meant() -> None:
    assert _record("%s failed", "a\x1b[2J\nerror: b") == r"error: a\x1b[2J error: b failed"


def test_no_line_of_a_traceback_looks_like_a_message() -> None:
    try:
        raise ValueError("a\nerror: b\x9b")
    except ValueError:
        first, *others = _record("it failed", error=True).split("\n")
    assert first == "error: it failed" and others[-1] == r"    error: b\x9b"
    assert all(line.startswith("    ") for line in others)
