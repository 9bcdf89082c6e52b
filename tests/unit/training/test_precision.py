from pathlib import Path

import pytest
import torch

from ose.core.recipe import Precision
from ose.training.precision import autocast, has_native_bfloat16

CPU = torch.device("cpu")


def product_dtype(precision: Precision) -> torch.dtype:
    layer = torch.nn.Linear(4, 4)
    with autocast(CPU, precision):
        return layer(torch.ones(2, 4)).dtype


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_matrix_products_run_in_the_precision_asked_for(precision: Precision, dtype: torch.dtype) -> None:
    assert product_dtype(precision) is dtype


def test_auto_takes_bfloat16_exactly_where_it_is_native() -> None:
    assert product_dtype("auto") is (torch.bfloat16 if has_native_bfloat16(CPU) else torch.float32)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="there is no other witness here")
@pytest.mark.skipif(not hasattr(torch.cpu, "_is_avx512_bf16_supported"), reason="this torch cannot tell")
def test_what_we_know_of_the_processor_is_what_torch_knows() -> None:
    known = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert has_native_bfloat16(CPU) or not known
    if "bf16" not in Path("/proc/cpuinfo").read_text(encoding="utf8"):
        assert not has_native_bfloat16(CPU)


def test_weights_and_their_gradients_stay_in_single_precision() -> None:
    layer = torch.nn.Linear(4, 4)
    with autocast(CPU, "bfloat16"):
        loss = layer(torch.ones(2, 4)).float().sum()
    loss.backward()
    assert layer.weight.dtype is torch.float32
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype is torch.float32
