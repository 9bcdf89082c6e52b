import pytest
import torch
from builders import architecture

from ose.extraction.head_parts import HeadPart, composed_heads, strongest

TEACHER = architecture(1, 4, 32, 48)
SCORES = torch.tensor([0.1, 0.9, 0.2, 0.8])
LIKE = torch.tensor([[1, 0.2, 0.7, 0.1], [0.2, 1, 0.3, 0.6], [0.7, 0.3, 1, 0.4], [0.1, 0.6, 0.4, 1]])


def composed(heads: int, hidden: int) -> list[list[tuple[int, int, int]]]:
    found = composed_heads(TEACHER, architecture(1, heads, hidden, 48), SCORES, LIKE)
    return [[(part.head, part.width, part.first) for part in parts] for parts in found]


def test_the_strongest_are_named_in_their_order() -> None:
    assert strongest(SCORES, 2).tolist() == [1, 3]


@pytest.mark.parametrize(
    ("heads", "hidden", "expected"),
    [
        (4, 32, [[(0, 8, 0)], [(1, 8, 0)], [(2, 8, 0)], [(3, 8, 0)]]),
        (2, 16, [[(1, 8, 0)], [(3, 8, 0)]]),
        (2, 8, [[(1, 4, 0)], [(3, 4, 0)]]),
        (5, 20, [[(0, 4, 0)], [(1, 4, 0)], [(1, 4, 4)], [(2, 4, 0)], [(3, 4, 0)]]),
        (8, 16, [[(head, 2, first)] for head in range(4) for first in (0, 2)]),
        (2, 32, [[(1, 8, 0), (3, 8, 0)], [(2, 8, 0), (0, 8, 0)]]),
        (1, 24, [[(1, 8, 0), (3, 8, 0), (2, 8, 0)]]),
        (1, 12, [[(1, 8, 0), (3, 4, 0)]]),
        (2, 24, [[(1, 8, 0), (2, 4, 0)], [(3, 8, 0), (0, 4, 0)]]),
    ],
    ids=[
        "own",
        "fewer",
        "narrower",
        "one split",
        "all split",
        "joined",
        "joined in one",
        "filled up",
        "both filled up",
    ],
)
def test_what_each_head_is_made_of(heads: int, hidden: int, expected: list[list[tuple[int, int, int]]]) -> None:
    assert composed(heads, hidden) == expected


def test_directions_of_a_value_start_again_when_they_are_used_up() -> None:
    found = composed_heads(architecture(1, 1, 8, 48), architecture(1, 2, 6, 48), torch.ones(1), torch.ones(1, 1))
    assert found == ((HeadPart(0, 3, 0),), (HeadPart(0, 3, 3),))


def test_heads_that_look_elsewhere_fill_up_where_all_are_whole_already() -> None:
    """Three heads of 8, two students' of 12: one head is left for the first, none for the second."""
    teacher, student = architecture(1, 3, 24, 48), architecture(1, 2, 24, 48)
    found = composed_heads(teacher, student, torch.tensor([0.5, 0.9, 0.8]), torch.eye(3))
    assert found == ((HeadPart(1, 8), HeadPart(0, 4)), (HeadPart(2, 8), HeadPart(0, 4)))
