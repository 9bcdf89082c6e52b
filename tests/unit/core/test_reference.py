"""What a share of the teacher's quality says, and how sure it is."""

from __future__ import annotations

from math import hypot

import pytest

from ose.core.measurement import Metric
from ose.core.reference import share

TEACHER = Metric(value=0.9, stderr=0.01)
BAG = Metric(value=0.8, stderr=0.02)


@pytest.mark.parametrize(("own", "kept", "of_lead"), [(0.9, 1.0, 1.0), (0.8, 8 / 9, 0.0), (0.7, 7 / 9, -1.0)])
def test_what_is_kept_of_the_teacher_and_of_its_lead(own: float, kept: float, of_lead: float) -> None:
    metric = Metric(value=own, stderr=0.01)
    found = [share(metric, TEACHER), share(metric, TEACHER, BAG)]
    assert [each.value for each in found if each] == pytest.approx([kept, of_lead])


def test_the_error_of_each_of_the_three_counts_to_first_order() -> None:
    own = Metric(value=0.85, stderr=0.03)
    found = share(own, TEACHER, BAG)
    assert found is not None and found.value == pytest.approx(0.5)
    assert found.stderr == pytest.approx(hypot(0.03, 0.5 * 0.01, 0.5 * 0.02) / 0.1)


@pytest.mark.parametrize("teacher", [0.8, 0.7])
def test_a_teacher_without_a_lead_has_none_to_share(teacher: float) -> None:
    assert share(Metric(value=0.9, stderr=0.01), Metric(value=teacher, stderr=0.01), BAG) is None


def test_an_unknown_error_stays_unknown() -> None:
    found = share(Metric(value=0.85, stderr=None), TEACHER, BAG)
    assert found is not None and found.stderr is None
