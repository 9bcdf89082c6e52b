import pytest
from hypothesis import given
from hypothesis import strategies as st

from ose.core.layer_choice import MEASURED_RULES, LayerRule, kept_layers
from ose.errors import InvalidInputError

RULES: tuple[LayerRule, ...] = ("distilbert", "even", "alternate", "bottom", "top")


@pytest.mark.parametrize(
    ("rule", "layers"),
    [
        ("distilbert", (0, 2, 4, 7, 9, 11)),
        ("even", (1, 3, 5, 7, 9, 11)),
        ("alternate", (0, 2, 4, 6, 8, 10)),
        ("bottom", (0, 1, 2, 3, 4, 5)),
        ("top", (6, 7, 8, 9, 10, 11)),
    ],
)
def test_six_of_twelve(rule: LayerRule, layers: tuple[int, ...]) -> None:
    assert kept_layers(rule, 12, 6) == layers


@given(st.sampled_from(RULES), st.integers(1, 48), st.data())
def test_rules_keep_distinct_layers_in_order_and_all_of_them_at_full_depth(
    rule: LayerRule, total: int, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(1, total))
    layers = kept_layers(rule, total, kept)
    assert len(layers) == kept
    assert list(layers) == sorted(set(layers))
    assert layers[0] >= 0 and layers[-1] < total
    assert kept_layers(rule, total, total) == tuple(range(total))


@pytest.mark.parametrize("rule", MEASURED_RULES)
def test_measured_rules_keep_the_most_important_in_their_order(rule: LayerRule) -> None:
    assert kept_layers(rule, 5, 3, [0.1, 0.9, 0.2, 0.8, 0.7]) == (1, 3, 4)


def test_importance_has_to_be_measured() -> None:
    with pytest.raises(InvalidInputError, match="need a measurement"):
        kept_layers("influence", 5, 3)


@pytest.mark.parametrize("rule", MEASURED_RULES)
def test_who_keeps_all_layers_needs_no_measurement(rule: LayerRule) -> None:
    assert kept_layers(rule, 3, 3) == (0, 1, 2)


def test_a_list_is_taken_as_it_is() -> None:
    assert kept_layers((0, 3, 5), 6, 3) == (0, 3, 5)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((0, 1), "are 2, but the student has 3"),
        ((0, 2, 1), "not in ascending order"),
        ((0, 1, 1), "not in ascending order"),
        ((0, 1, 6), "between 0 and 5"),
        ((-1, 1, 2), "between 0 and 5"),
    ],
)
def test_bad_lists_are_refused(layers: tuple[int, ...], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        kept_layers(layers, 6, 3)


def test_a_student_has_no_more_layers_than_its_teacher() -> None:
    with pytest.raises(InvalidInputError, match="7 layers cannot be kept of a teacher's 6"):
        kept_layers("top", 6, 7)
