"""What the libraries below and our own modules log, on standard error, a line each."""

from __future__ import annotations

import logging

from ose.core.shown import shown, shown_block

_INDENT = "    "


class ShownFormatter(logging.Formatter):
    """Writes messages as they may be shown; no line of a traceback can be taken for a message."""

    def format(self, record: logging.LogRecord) -> str:
        """A line for the message, and indented lines for the traceback, if there is one."""
        line = f"{record.levelname.lower()}: {shown(record.getMessage())}"
        if not record.exc_info:
            return line
        trace = shown_block(self.formatException(record.exc_info))
        return "\n".join([line, *(_INDENT + each for each in trace.split("\n"))])


def log_to_stderr() -> None:
    """Have warnings and errors of this process written by the rule for strangers' words."""
    handler = logging.StreamHandler()
    handler.setFormatter(ShownFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
