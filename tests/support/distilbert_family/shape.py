"""DistilBERT by its numbers."""

from __future__ import annotations

from ose.core.architecture import Architecture, EmbeddingShape, ParameterCount

CLASSES = {"distilbert": ("DistilBertForMaskedLM",)}
CONFIG_NAMES = {
    "num_hidden_layers": ("n_layers",),
    "num_attention_heads": ("n_heads",),
    "hidden_size": ("dim",),
    "intermediate_size": ("hidden_dim",),
    "vocab_size": ("vocab_size",),
    "max_position_embeddings": ("max_position_embeddings",),
    "type_vocab_size": (),
}
CONFIG_DEFAULTS = {"type_vocab_size": 1}
OFFSET_MODEL_TYPES = frozenset[str]()
HEADS = ("fill_mask",)


def count_parameters(architecture: Architecture, embedding: EmbeddingShape, head: str) -> ParameterCount:
    assert head in HEADS
    d, h, i = architecture.num_hidden_layers, architecture.hidden_size, architecture.intermediate_size
    return ParameterCount(
        embeddings=(embedding.vocab_size + embedding.max_position_embeddings + 2) * h,
        encoder=d * (4 * h * (h + 1) + i * (2 * h + 1) + h + 4 * h),
        head=h * (h + 3) + embedding.vocab_size,
    )


def count_flops(architecture: Architecture, sequence_length: int, batch_size: int = 1) -> int:
    h, i = architecture.hidden_size, architecture.intermediate_size
    per_layer = 2 * (4 * h * h + 2 * h * i + 2 * sequence_length * h)
    return batch_size * sequence_length * architecture.num_hidden_layers * per_layer


def count_head_flops(architecture: Architecture, embedding: EmbeddingShape, num_positions: int, head: str) -> int:
    assert head in HEADS
    return num_positions * 2 * architecture.hidden_size * (architecture.hidden_size + embedding.vocab_size)


def expected_tensors(architecture: Architecture, embedding: EmbeddingShape) -> dict[str, tuple[int, ...]]:
    h, i = architecture.hidden_size, architecture.intermediate_size
    matrices = {f"attention.{name}_lin": (h, h) for name in ("q", "k", "v", "out")} | {
        "ffn.lin1": (i, h),
        "ffn.lin2": (h, i),
    }
    found = {
        "embeddings.word_embeddings.weight": (embedding.vocab_size, h),
        "embeddings.position_embeddings.weight": (embedding.max_position_embeddings, h),
        "embeddings.LayerNorm.weight": (h,),
        "embeddings.LayerNorm.bias": (h,),
    }
    for layer in map(layer_prefix, range(architecture.num_hidden_layers)):
        for name, shape in matrices.items():
            found |= {f"{layer}{name}.weight": shape, f"{layer}{name}.bias": shape[:1]}
        for name in ("sa_layer_norm", "output_layer_norm"):
            found |= {f"{layer}{name}.weight": (h,), f"{layer}{name}.bias": (h,)}
    return found


def is_head_tensor(name: str) -> bool:
    return name.startswith(("vocab_transform.", "vocab_layer_norm.", "vocab_projector."))


def layer_prefix(layer: int) -> str:
    return f"transformer.layer.{layer}."
