from __future__ import annotations

import torch
from models import masked_lm

from ose.core.architecture import Architecture
from ose.families.bert.model import build_blank_student
from ose.runtimes.noise import fill_with_noise

SHAPE = Architecture(num_hidden_layers=1, num_attention_heads=2, hidden_size=16, intermediate_size=32)


def test_noise_fills_every_weight_with_different_rows() -> None:
    teacher = masked_lm("roberta").config
    teacher.vocab_size = 4000  # more weights than the noise has values
    encoder = build_blank_student(teacher, SHAPE, "fill_mask", "cpu").base_model
    for parameter in encoder.parameters():
        parameter.data.fill_(torch.nan)
    fill_with_noise(encoder)
    assert all(0.01 < parameter.std() < 0.03 for parameter in encoder.parameters() if parameter.numel() > 100)
    rows = encoder.embeddings.word_embeddings.weight
    assert len(rows.unique(dim=0)) == len(rows)
