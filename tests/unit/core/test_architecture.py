"""Covers ose/core/plain.py."""

import dataclasses

import pytest

from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.plain import plain
from ose.core.search_space import Member
from ose.errors import SearchSpaceError

BORT = Architecture(num_hidden_layers=4, num_attention_heads=8, hidden_size=1024, intermediate_size=768)


@pytest.mark.parametrize("name", ["num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size"])
def test_a_number_below_one_is_refused_by_name(name: str) -> None:
    values = {"num_hidden_layers": 1, "num_attention_heads": 1, "hidden_size": 8, "intermediate_size": 8, name: 0}
    with pytest.raises(SearchSpaceError, match=f"{name} must be positive, not 0"):
        Architecture(**values)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(SearchSpaceError, match="12 attention heads do not divide a hidden size of 512"):
        Architecture(num_hidden_layers=4, num_attention_heads=12, hidden_size=512, intermediate_size=768)


@pytest.mark.parametrize("name", ["vocab_size", "max_position_embeddings", "type_vocab_size"])
def test_an_embedding_without_rows_is_refused(name: str) -> None:
    with pytest.raises(SearchSpaceError, match=f"{name} must be positive"):
        EmbeddingShape(**{"vocab_size": 10, "max_position_embeddings": 10, name: 0})


def test_an_architecture_is_called_by_its_four_numbers_and_its_family_if_that_is_not_bert() -> None:
    assert str(BORT) == "L4-A8-H1024-I768"
    assert BORT.head_size == 128
    assert str(dataclasses.replace(BORT, family="other")) == "other-L4-A8-H1024-I768"


def test_a_family_is_shown_only_where_it_is_not_bert() -> None:
    sizes = {"num_hidden_layers": 4, "num_attention_heads": 8, "hidden_size": 1024, "intermediate_size": 768}
    assert plain(BORT) == sizes
    assert plain(dataclasses.replace(BORT, family="other")) == sizes | {"family": "other"}
    assert plain(Member(architecture=BORT))["architecture"] == sizes
