"""Tests ose/families/parts.py."""

import pytest
import torch
from builders import architecture
from models import masked_lm
from torch import nn

from ose.core.architecture import Architecture
from ose.extraction.heads import HeadMaps, chosen_maps, head_statistics, leading_maps
from ose.families.models import parts_of
from ose.families.parts import Block, run_block

TEACHER = architecture(1, 4, 32, 48)
MODEL = masked_lm("roberta", num_hidden_layers=1, num_attention_heads=4, hidden_size=32, intermediate_size=48)
BLOCK = parts_of(MODEL, "fill_mask").blocks[0]
INPUTS = torch.randn(12, 14, 32, generator=torch.Generator().manual_seed(1))
PROJECTION = BLOCK.attention_output.weight.detach()


@pytest.fixture(scope="module")
def statistics() -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return head_statistics(BLOCK, INPUTS, run_block(BLOCK, INPUTS).context)


def student(heads: int, hidden: int) -> Architecture:
    return architecture(1, heads, hidden, 48)


def rows(maps: HeadMaps) -> list[int]:
    assert set(maps.value.unique().tolist()) == {0.0, 1.0}
    return maps.value.argmax(dim=0).tolist()


@pytest.mark.parametrize(
    ("heads", "hidden", "expected"),
    [
        (4, 32, [*range(32)]),
        (2, 16, [*range(16)]),
        (4, 16, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]),
        (2, 8, [0, 1, 2, 3, 8, 9, 10, 11]),
        (1, 16, [*range(16)]),
        (8, 16, [*range(16)]),
    ],
    ids=["own", "fewer heads", "narrower heads", "both", "joined heads", "split heads"],
)
def test_each_head_keeps_its_leading_rows(heads: int, hidden: int, expected: list[int]) -> None:
    assert rows(leading_maps(TEACHER, student(heads, hidden))) == expected


def test_the_strongest_heads_are_kept_in_their_order(statistics: dict[str, torch.Tensor]) -> None:
    maps = chosen_maps(TEACHER, student(2, 16), torch.tensor([0.1, 0.9, 0.2, 0.8]), statistics, PROJECTION[:16])
    assert rows(maps) == [*range(8, 16), *range(24, 32)]
    assert all(torch.equal(each, maps.value) for each in (maps.query, maps.key, maps.output))


def test_a_wider_head_takes_the_mean_of_its_heads_scores(statistics: dict[str, torch.Tensor]) -> None:
    maps = chosen_maps(TEACHER, student(2, 32), torch.arange(4.0), statistics, PROJECTION)
    queries, keys = BLOCK.query(INPUTS), BLOCK.key(INPUTS)
    wide_q, wide_k = ((each @ m).unflatten(-1, (2, 16)) for each, m in ((queries, maps.query), (keys, maps.key)))
    wide = torch.einsum("ntad,nsad->anst", wide_q, wide_k) / 16**0.5
    narrow = torch.einsum(
        "ntad,nsad->anst", queries.unflatten(-1, (4, 8)), keys.unflatten(-1, (4, 8))
    ) / 8**0.5  # fmt: skip
    groups = maps.value.argmax(dim=0)[::8].div(8, rounding_mode="floor").view(2, 2)
    torch.testing.assert_close(wide, narrow[groups].mean(dim=1), rtol=1e-4, atol=1e-5)


def test_heads_that_look_at_the_same_tokens_are_joined() -> None:
    twin = masked_lm("roberta", num_hidden_layers=1, num_attention_heads=4, hidden_size=32, intermediate_size=48)
    block = parts_of(twin, "fill_mask").blocks[0]
    with torch.no_grad():
        for projection in (block.query, block.key):
            projection.weight.mul_(3)
            projection.weight[16:24] = projection.weight[:8]
            projection.bias[16:24] = projection.bias[:8]
        known = head_statistics(block, INPUTS, run_block(block, INPUTS).context)
    maps = chosen_maps(TEACHER, student(2, 32), torch.tensor([1.0, 0.5, 0.25, 0.125]), known, PROJECTION)
    assert rows(maps)[::8] == [0, 16, 8, 24]


def low_rank_block(rank: int) -> Block:
    """A block whose heads of 8 have queries, keys and values of `rank`, spread over all dimensions."""
    model = masked_lm("roberta", num_hidden_layers=1, num_attention_heads=4, hidden_size=32, intermediate_size=48)
    made = parts_of(model, "fill_mask").blocks[0]
    mixing = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(2))).Q
    with torch.no_grad():
        for projection in (made.query, made.key, made.value):
            for head in range(4):
                block = slice(head * 8, head * 8 + 8)
                projection.weight[head * 8 + rank : head * 8 + 8] = 0
                projection.bias[head * 8 + rank : head * 8 + 8] = 0
                projection.weight[block] = mixing @ projection.weight[block]
                projection.bias[block] = mixing @ projection.bias[block]
    return made


@torch.no_grad()
def output_errors(block: Block, heads: int, hidden: int) -> torch.Tensor:
    """(N, T, H): how far the attention's output is from the block's own, but for a constant that a bias can be."""
    projection = block.attention_output.weight
    states = run_block(block, INPUTS)
    known = head_statistics(block, INPUTS, states.context)
    maps = chosen_maps(TEACHER, student(heads, hidden), torch.ones(4), known, projection)
    queries, keys, values = (
        (each(INPUTS) @ m).unflatten(-1, (heads, -1)).transpose(1, 2)
        for each, m in ((block.query, maps.query), (block.key, maps.key), (block.value, maps.value))
    )
    context = nn.functional.scaled_dot_product_attention(queries, keys, values)
    errors = context.transpose(1, 2).flatten(2) @ (projection @ maps.output).T - states.context @ projection.T
    return errors - errors.mean(dim=(0, 1))


@pytest.mark.parametrize(
    ("rank", "heads", "hidden"), [(3, 4, 16), (4, 4, 16), (2, 8, 16), (2, 8, 32)],
    ids=["narrower", "as narrow as the rank", "split into values' halves", "split and as wide as the teacher"],
)  # fmt: skip
def test_heads_of_another_size_lose_nothing_that_was_of_low_rank(rank: int, heads: int, hidden: int) -> None:
    assert output_errors(low_rank_block(rank), heads, hidden).abs().max() < 2e-3


def test_split_heads_divide_the_values_of_one() -> None:
    """Of values of rank 4, two heads of 2 hold all, and one half of them; their scores fit into 2."""
    block = low_rank_block(4)
    with torch.no_grad():  # scores of rank 1: keys have one direction
        for head in range(4):
            key = block.key
            direction = key.weight[head * 8 : head * 8 + 8].mean(dim=1, keepdim=True)
            key.weight[head * 8 : head * 8 + 8] = direction * key.weight[head * 8]
    assert output_errors(block, 8, 16).abs().max() < 2e-3
    assert output_errors(block, 4, 8).abs().max() > 2e-2


def test_a_wider_head_that_is_no_multiple_fills_up_with_its_likest() -> None:
    """Twins of rank 4 and 8: heads of 12 hold one whole and the other's all."""
    block = low_rank_block(4)
    with torch.no_grad():
        for projection in (block.query, block.key):
            projection.weight[16:] = projection.weight[:16]
            projection.bias[16:] = projection.bias[:16]
    assert output_errors(block, 2, 24).abs().max() < 2e-3


def test_narrowed_heads_beat_leading_rows(statistics: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        wanted = BLOCK.attend(INPUTS, None) @ PROJECTION.T
        chosen = chosen_maps(TEACHER, student(4, 16), torch.ones(4), statistics, PROJECTION)
        errors = []
        for maps in (chosen, leading_maps(TEACHER, student(4, 16))):
            queries, keys, values = (
                (each(INPUTS) @ m).unflatten(-1, (4, 4)).transpose(1, 2)
                for each, m in ((BLOCK.query, maps.query), (BLOCK.key, maps.key), (BLOCK.value, maps.value))
            )
            context = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
            error = context.transpose(1, 2).flatten(2) @ (PROJECTION @ maps.output).T - wanted
            errors.append((error - error.mean(dim=(0, 1))).square().mean().item())
    assert errors[0] < 0.9 * errors[1]
