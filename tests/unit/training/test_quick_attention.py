import pytest
import torch
from models import masked_lm

from ose.training.quick_attention import quick_attention

INPUT_IDS = torch.randint(5, 40, (2, 12), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["roberta", "bert", "distilbert"])
def test_it_computes_the_same_and_is_gone_afterwards(name: str) -> None:
    model = masked_lm(name)
    usual = model(input_ids=INPUT_IDS).logits
    with quick_attention(model):
        assert model.config._attn_implementation == "eager"
        torch.testing.assert_close(model(input_ids=INPUT_IDS).logits, usual, rtol=1e-4, atol=1e-5)
    assert model.config._attn_implementation == "sdpa"


def test_it_is_gone_after_an_error_too() -> None:
    model = masked_lm("roberta")
    with pytest.raises(ValueError, match="stop"), quick_attention(model):
        raise ValueError("stop")
    assert model.config._attn_implementation == "sdpa"
