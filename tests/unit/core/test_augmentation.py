import pytest

from ose.core.augmentation import AugmentationSpec
from ose.errors import InvalidInputError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask": 1.1}, "mask must be at most 1"),
        ({"mask": 0.6, "replace": 0.6}, "mask and replace are chances that must not be above 1 together"),
        ({"copies": 0}, "copies must be positive"),
        ({"mask": 0.0, "replace": 0.0, "ngram": 0.0}, "mask, replace and ngram are all zero"),
    ],
)
def test_chances_without_sense_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        AugmentationSpec(**changes)
