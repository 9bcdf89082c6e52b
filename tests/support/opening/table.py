"""The task's lines in the tables: its name, and the family's vocabulary head, which it reads too."""

import pytest

from ose.tasks import registry


def put_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    from ose.families.bert import model, shape

    monkeypatch.setitem(registry.TASKS, "opening", "opening")
    for heads in (shape.HEADS, model.HEADS):
        monkeypatch.setitem(heads, "opening", heads["fill_mask"])
