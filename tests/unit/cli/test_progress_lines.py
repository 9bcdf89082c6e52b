"""Tests ose/cli/bars.py."""

import pytest

from ose.cli.bars import BarProgress
from ose.cli.progress_lines import LineProgress


@pytest.mark.parametrize("kind", [LineProgress, BarProgress])
def test_titles_notes_and_lines_are_text(kind: type, capsys: pytest.CaptureFixture[str]) -> None:
    progress = kind()
    progress.stage("Distilling [/x]\x1b[2J", 2)
    progress.advance(1, "[/y]")
    progress.say("job 1 ([/z]\u202e)")
    progress.advance(1, "[/y]")
    written = capsys.readouterr().err
    assert r"[/z]\u202e" in written and "\x1b[2J" not in written
