"""The front that is corrected one by one is the one that is found anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ose.core.pareto import pareto_front
from ose.leaderboard.measures import MeasureTable
from ose.store.pages import RowMeasures

SMALL = st.integers(1, 4)
ONE = st.builds(
    lambda number, size, latency, loss, has_rank: RowMeasures(number, size, float(latency), float(loss), has_rank),
    st.integers(1, 12),
    SMALL,
    SMALL,
    SMALL,
    st.booleans(),
)


@given(st.lists(ONE, max_size=25))
def test_the_front_is_corrected_as_figures_come(changes: list[RowMeasures]) -> None:
    table, known = MeasureTable(), {}
    for figures in changes:
        assert set(table.front) <= set(known)
        table.put([figures])
        known[figures.number] = figures
        ranked = [each for each in known.values() if each.has_rank]
        flags = pareto_front([(each[1], each[2], each[3]) for each in ranked])
        assert set(table.front) == {each.number for each, is_on in zip(ranked, flags, strict=True) if is_on}
    assert list(table) == sorted(known.values()) and len(table) == len(known)
    assert table.get(99) is None


def test_what_is_not_measured_stays_unknown() -> None:
    table, unmeasured = MeasureTable(), RowMeasures(3, 100, None, None, False, False)
    table.put([unmeasured])
    assert table.get(3) == unmeasured and table.front == {}
