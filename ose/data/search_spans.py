"""Which sequences each training step sees: spans of a search's data, each for the steps from some step on.

A search has one span. Going on with its candidates beyond its steps adds another with text of its own, so that the
first one stays as it is, and what was trained on it means the same.
"""

from __future__ import annotations

from typing import NamedTuple

import torch


class Span(NamedTuple):
    """Sequences from `first_row` on, until the next span's, for the steps from `first_step` on."""

    first_step: int
    first_row: int


ONE_SPAN = (Span(0, 0),)


def batch_rows(spans: tuple[Span, ...], num_rows: int, num_steps: int, batch_size: int) -> torch.Tensor:
    """(num_steps, batch_size): the rows of each step, one after the other and from the span's first again at its end.

    The rows of a step do not depend on how many steps follow.

    Args:
        spans: In order; the first begins at step 0 and row 0.
        num_rows: Of all spans.
        num_steps: Steps wanted.
        batch_size: Sequences a step.
    """
    ends = (*(span.first_row for span in spans[1:]), num_rows)
    last_steps = (*(min(span.first_step, num_steps) for span in spans[1:]), num_steps)
    parts = [
        span.first_row + torch.arange((last_step - span.first_step) * batch_size) % (end - span.first_row)
        for span, end, last_step in zip(spans, ends, last_steps, strict=True)
        if last_step > span.first_step
    ]
    return torch.cat(parts).view(num_steps, batch_size)
