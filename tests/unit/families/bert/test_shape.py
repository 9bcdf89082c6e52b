import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForMaskedLM, PreTrainedModel, RobertaConfig, RobertaForMaskedLM

from ose.core.architecture import Architecture, EmbeddingShape
from ose.families.bert.shape import count_flops, count_head_flops, count_parameters
from ose.tasks.fill_mask.forward import encode

BORT = Architecture(num_hidden_layers=4, num_attention_heads=8, hidden_size=1024, intermediate_size=768)
BORT_FLIPPED = Architecture(num_hidden_layers=4, num_attention_heads=8, hidden_size=768, intermediate_size=1024)
ROBERTA_BASE = Architecture(num_hidden_layers=12, num_attention_heads=12, hidden_size=768, intermediate_size=3072)
ROBERTA_LARGE = Architecture(num_hidden_layers=24, num_attention_heads=16, hidden_size=1024, intermediate_size=4096)
PAPER_EMBEDDING = EmbeddingShape(vocab_size=50_265, max_position_embeddings=512)
ROBERTA_EMBEDDING = EmbeddingShape(vocab_size=50_265, max_position_embeddings=514)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    heads = draw(st.integers(1, 4))
    return Architecture(
        num_hidden_layers=draw(st.integers(1, 3)),
        num_attention_heads=heads,
        hidden_size=heads * draw(st.integers(1, 8)),
        intermediate_size=draw(st.integers(1, 40)),
    )


embeddings = st.builds(
    EmbeddingShape,
    vocab_size=st.integers(10, 60),
    max_position_embeddings=st.integers(20, 30),
    type_vocab_size=st.integers(1, 3),
)


def build(family: str, architecture: Architecture, embedding: EmbeddingShape) -> PreTrainedModel:
    config_class, model_class = {
        "roberta": (RobertaConfig, RobertaForMaskedLM),
        "bert": (BertConfig, BertForMaskedLM),
    }[family]
    config = config_class(
        num_hidden_layers=architecture.num_hidden_layers,
        num_attention_heads=architecture.num_attention_heads,
        hidden_size=architecture.hidden_size,
        intermediate_size=architecture.intermediate_size,
        vocab_size=embedding.vocab_size,
        max_position_embeddings=embedding.max_position_embeddings,
        type_vocab_size=embedding.type_vocab_size,
    )
    # torch's counter knows no operation of the fused attention on CPU, but knows eager's matrix products.
    config._attn_implementation = "eager"
    return model_class(config).eval()


@pytest.mark.parametrize("family", ["roberta", "bert"])
@settings(max_examples=15, deadline=None)
@given(architecture=architectures(), embedding=embeddings)
def test_parameter_count_is_that_of_the_built_model(
    family: str, architecture: Architecture, embedding: EmbeddingShape
) -> None:
    model = build(family, architecture, embedding)
    counted = count_parameters(architecture, embedding, "fill_mask")
    encoder = model.base_model.encoder
    assert counted.total == sum(p.numel() for p in model.parameters())
    assert counted.encoder == sum(p.numel() for p in encoder.parameters())
    assert counted.embeddings == sum(p.numel() for p in model.base_model.embeddings.parameters())


@pytest.mark.parametrize("family", ["roberta", "bert"])
@settings(max_examples=10, deadline=None)
@given(architecture=architectures(), batch_size=st.integers(1, 3), length=st.integers(1, 16))
def test_operation_counts_are_what_torch_counts(
    family: str, architecture: Architecture, batch_size: int, length: int
) -> None:
    embedding = EmbeddingShape(vocab_size=40, max_position_embeddings=20)
    model = build(family, architecture, embedding)
    with torch.no_grad(), FlopCounterMode(display=False) as encoder:
        encoded = encode(model, torch.full((batch_size, length), 7))
    with torch.no_grad(), FlopCounterMode(display=False) as vocabulary:
        encoded.logits()
    assert count_flops(architecture, length, batch_size) == encoder.get_total_flops()
    assert count_head_flops(architecture, embedding, batch_size * length, "fill_mask") == vocabulary.get_total_flops()


@pytest.mark.parametrize(
    ("architecture", "embeddings_millions", "encoder_millions", "with_pooler_millions"),
    [(BORT, 52.00, 23.11, 77.26), (BORT_FLIPPED, 39.00, 15.76, 55.99)],
    ids=["released", "as-first-printed"],
)
def test_bort_has_its_published_sizes(
    architecture: Architecture, embeddings_millions: float, encoder_millions: float, with_pooler_millions: float
) -> None:
    counted = count_parameters(architecture, PAPER_EMBEDDING, "fill_mask")
    pooler = architecture.hidden_size**2 + architecture.hidden_size
    assert counted.embeddings / 1e6 == pytest.approx(embeddings_millions, abs=0.005)
    assert counted.encoder / 1e6 == pytest.approx(encoder_millions, abs=0.005)
    assert (counted.total + pooler) / 1e6 == pytest.approx(with_pooler_millions, abs=0.005)


def test_roberta_has_its_published_sizes() -> None:
    large = count_parameters(ROBERTA_LARGE, ROBERTA_EMBEDDING, "fill_mask")
    assert count_parameters(ROBERTA_BASE, ROBERTA_EMBEDDING, "fill_mask").total == 124_697_433
    assert (large.embeddings + large.encoder) / 1e6 == pytest.approx(354.3, abs=0.05)
