from dataclasses import fields

import pytest
from builders import architecture

from ose.core.recipe import DistillationSpec, LossWeights, relation_place
from ose.errors import InvalidInputError

TEACHER = architecture(12, 12, 768, 3072)


@pytest.mark.parametrize(
    ("changes", "width", "place"),
    [
        ({}, 768, (11, 12)),
        ({}, 384, (11, 12)),
        ({}, 128, (11, 4)),  # 12 heads do not divide 128
        ({}, 125, (11, 1)),
        ({"relation_heads": 48, "relation_layer": 9}, 384, (9, 48)),
    ],
)
def test_relations_are_taken_where_both_widths_can_be_split(
    changes: dict[str, int], width: int, place: tuple[int, int]
) -> None:
    assert relation_place(DistillationSpec(**changes), TEACHER, architecture(3, 1, width, 8)) == place


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"relation_layer": 12}, "relation_layer must be between 0 and 11, the teacher's last, not 12"),
        ({"relation_heads": 48}, "width 768 and the student's 64, which 48 does not; the largest that does is 64"),
        ({"relation_heads": 128}, "relation_heads must divide"),
    ],
)
def test_relations_that_do_not_fit_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        relation_place(DistillationSpec(**changes), TEACHER, architecture(3, 2, 64, 8))


def test_one_loss_alone_is_enough() -> None:
    off = {field.name: 0.0 for field in fields(LossWeights)}
    for name in off:
        assert getattr(LossWeights(**{**off, name: 2.0}), name) == 2
    with pytest.raises(InvalidInputError, match="nor all zero"):
        LossWeights(**off)
