import numpy as np
import pytest

from ose.tasks.fill_mask import token_counts
from ose.tasks.fill_mask.token_counts import count_tokens, smoothed_weights


def test_every_token_of_every_group_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counts, "_ROWS_AT_ONCE", 2)
    groups = [np.array([[1, 2, 2]] * 5, dtype=np.uint16), np.array([[7, 1]], dtype=np.uint16)]
    assert count_tokens(groups, 9).tolist() == [0, 6, 10, 0, 0, 0, 0, 1, 0]


def test_weights_fall_with_the_count() -> None:
    assert smoothed_weights(np.array([0, 1, 100]), 0.5).tolist() == pytest.approx([1, 1, 0.1])
