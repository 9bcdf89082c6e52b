from ose.core.teacher_report import MOST_DENORMAL, denormal_line


def test_many_denormal_weights_are_told_and_a_few_are_not() -> None:
    assert denormal_line(None) is None and denormal_line(MOST_DENORMAL) is None
    assert "2.5% of the weights are denormal numbers" in (denormal_line(0.025) or "")
