import pytest
import torch
from builders import architecture
from models import masked_lm

from ose.core.architecture import Architecture
from ose.models.heads import HeadMaps, chosen_maps, head_statistics, leading_maps
from ose.models.parts import parts_of, run_layer

TEACHER = architecture(1, 4, 32, 48)
MODEL = masked_lm("roberta", num_hidden_layers=1, num_attention_heads=4, hidden_size=32, intermediate_size=48)
LAYER = parts_of(MODEL).layers[0]
INPUTS = torch.randn(12, 14, 32, generator=torch.Generator().manual_seed(1))
PROJECTION = LAYER.attention.output.dense.weight.detach()


@pytest.fixture(scope="module")
def statistics() -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return head_statistics(LAYER, INPUTS, run_layer(LAYER, INPUTS).context)


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


def test_heads_that_split_take_the_rows_of_the_strongest(statistics: dict[str, torch.Tensor]) -> None:
    maps = chosen_maps(TEACHER, student(8, 16), torch.tensor([0.1, 0.9, 0.2, 0.8]), statistics, PROJECTION[:16])
    assert rows(maps) == [*range(8, 16), *range(24, 32)]


def test_a_wider_head_takes_the_mean_of_its_heads_scores(statistics: dict[str, torch.Tensor]) -> None:
    maps = chosen_maps(TEACHER, student(2, 32), torch.arange(4.0), statistics, PROJECTION)
    attention = LAYER.attention.self
    queries, keys = attention.query(INPUTS), attention.key(INPUTS)
    wide_q, wide_k = ((each @ m).unflatten(-1, (2, 16)) for each, m in ((queries, maps.query), (keys, maps.key)))
    wide = torch.einsum("ntad,nsad->anst", wide_q, wide_k) / 16**0.5
    narrow = torch.einsum(
        "ntad,nsad->anst", queries.unflatten(-1, (4, 8)), keys.unflatten(-1, (4, 8))
    ) / 8**0.5  # fmt: skip
    groups = maps.value.argmax(dim=0)[::8].div(8, rounding_mode="floor").view(2, 2)
    torch.testing.assert_close(wide, narrow[groups].mean(dim=1), rtol=1e-4, atol=1e-5)


def test_heads_that_look_at_the_same_tokens_are_joined() -> None:
    twin = masked_lm("roberta", num_hidden_layers=1, num_attention_heads=4, hidden_size=32, intermediate_size=48)
    layer = parts_of(twin).layers[0]
    with torch.no_grad():
        for projection in (layer.attention.self.query, layer.attention.self.key):
            projection.weight.mul_(3)
            projection.weight[16:24] = projection.weight[:8]
            projection.bias[16:24] = projection.bias[:8]
        known = head_statistics(layer, INPUTS, run_layer(layer, INPUTS).context)
    maps = chosen_maps(TEACHER, student(2, 32), torch.tensor([1.0, 0.5, 0.25, 0.125]), known, PROJECTION)
    assert rows(maps)[::8] == [0, 16, 8, 24]


def test_narrower_heads_of_low_rank_lose_nothing() -> None:
    """Queries and keys of rank 3 and values of rank 3 fit into heads of 4."""
    low = masked_lm("roberta", num_hidden_layers=1, num_attention_heads=4, hidden_size=32, intermediate_size=48)
    layer = parts_of(low).layers[0]
    attention = layer.attention.self
    with torch.no_grad():
        for projection in (attention.query, attention.key, attention.value):
            for head in range(4):
                projection.weight[head * 8 + 3 : head * 8 + 8] = 0
                projection.bias[head * 8 + 3 : head * 8 + 8] = 0
        mixing = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(2))).Q
        for projection in (attention.query, attention.key, attention.value):
            for head in range(4):
                block = slice(head * 8, head * 8 + 8)
                projection.weight[block] = mixing @ projection.weight[block]
                projection.bias[block] = mixing @ projection.bias[block]
        states = run_layer(layer, INPUTS)
        known = head_statistics(layer, INPUTS, states.context)
        projection = layer.attention.output.dense.weight
        maps = chosen_maps(TEACHER, student(4, 16), torch.ones(4), known, projection)
        queries, keys, values = (
            (each(INPUTS) @ m).unflatten(-1, (4, 4)).transpose(1, 2)
            for each, m in ((attention.query, maps.query), (attention.key, maps.key), (attention.value, maps.value))
        )
        context = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
        restored = context.transpose(1, 2).flatten(2) @ (projection @ maps.output).T
    wanted = states.context @ projection.T
    shift = (wanted - restored).mean(dim=(0, 1))  # values are taken around their mean: a bias
    torch.testing.assert_close(restored + shift, wanted, rtol=1e-3, atol=1e-3)


def test_narrowed_heads_beat_leading_rows(statistics: dict[str, torch.Tensor]) -> None:
    attention = LAYER.attention.self
    with torch.no_grad():
        wanted = LAYER.attention.self(INPUTS)[0] @ PROJECTION.T
        chosen = chosen_maps(TEACHER, student(4, 16), torch.ones(4), statistics, PROJECTION)
        errors = []
        for maps in (chosen, leading_maps(TEACHER, student(4, 16))):
            queries, keys, values = (
                (each(INPUTS) @ m).unflatten(-1, (4, 4)).transpose(1, 2)
                for each, m in ((attention.query, maps.query), (attention.key, maps.key), (attention.value, maps.value))
            )
            context = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
            error = context.transpose(1, 2).flatten(2) @ (PROJECTION @ maps.output).T - wanted
            errors.append((error - error.mean(dim=(0, 1))).square().mean().item())
    assert errors[0] < 0.9 * errors[1]
