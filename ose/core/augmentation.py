"""How texts are changed into others that the teacher labels too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ose.core.bounds import SHARE, Bounds, require_bounds
from ose.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationSpec:
    """Chances of what is done to the words of a text; the defaults are those of Tang et al., arXiv 1903.12136.

    Attributes:
        copies: Changed texts for each one as it stands, on average; they are changed anew each time.
        mask: Chance of a word to be masked.
        replace: Chance of a word of one token to become one of those that lie nearest in the teacher's embeddings.
        ngram: Chance of a text to be cut down to a few words in a row, five at most.
    """

    __pydantic_config__ = {"extra": "forbid"}

    copies: Annotated[int, Bounds(1, 1_000)] = 20
    mask: Annotated[float, SHARE] = 0.1
    replace: Annotated[float, SHARE] = 0.1
    ngram: Annotated[float, SHARE] = 0.25

    def __post_init__(self) -> None:
        require_bounds(self)
        if self.mask + self.replace > 1:
            raise InvalidInputError(f"mask and replace are chances that must not be above 1 together: {self}")
        if not self.mask + self.replace + self.ngram:
            raise InvalidInputError("mask, replace and ngram are all zero; leave out the augmentation")
