import pytest
import torch

from ose.data.search_spans import ONE_SPAN, Span, batch_rows


@pytest.mark.parametrize(("num_rows", "num_steps", "batch_size"), [(40, 5, 8), (40, 7, 8), (3, 4, 5), (100, 1, 1)])
def test_one_span_is_read_in_order_and_again_from_its_first_row(num_rows: int, num_steps: int, batch_size: int) -> None:
    rows = batch_rows(ONE_SPAN, num_rows, num_steps, batch_size)
    assert rows.shape == (num_steps, batch_size)
    assert torch.equal(rows.flatten(), torch.arange(num_steps * batch_size) % num_rows)


def test_later_steps_take_the_rows_of_their_span() -> None:
    rows = batch_rows((Span(0, 0), Span(2, 5), Span(3, 9)), num_rows=20, num_steps=6, batch_size=4)
    expected = [[0, 1, 2, 3], [4, 0, 1, 2], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [17, 18, 19, 9]]
    assert rows.tolist() == expected


@pytest.mark.parametrize("num_steps", [1, 2, 3, 5, 6])
def test_fewer_steps_see_the_same_rows(num_steps: int) -> None:
    spans = (Span(0, 0), Span(2, 5), Span(5, 11))
    assert torch.equal(batch_rows(spans, 20, num_steps, 3), batch_rows(spans, 20, 9, 3)[:num_steps])
