"""Teachers of a class that no family knows teach what they taught before there were families."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import architecture
from models import shake
from searches import data_task, evaluate_task, fill
from transformers import (
    AutoTokenizer,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ose.core.job import CorpusFacts
from ose.distillation.candidate_evaluation import evaluate_candidate
from ose.families.counts import counts_of
from ose.tasks.fill_mask.search_data import load_search_data
from ose.tasks.fill_mask.teacher import load_masked_lm

SHAPE = architecture(2, 2, 24, 40)


def model_of(name: str, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    torch.manual_seed(0)
    shared = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if name == "distilbert":
        sizes = {"n_layers": 2, "n_heads": 4, "dim": 32, "hidden_dim": 64}
        return shake(DistilBertForMaskedLM(DistilBertConfig(**shared, **sizes)))
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
    ends = {"cls_token_id": tokenizer.cls_token_id, "sep_token_id": tokenizer.sep_token_id}
    return shake(ModernBertForMaskedLM(ModernBertConfig(**shared, **ends, **sizes)))


@pytest.mark.parametrize(
    ("name", "entropy_nats", "loss_nats"),
    [("distilbert", 6.5068703571955355, 6.677237892150878), ("modernbert", 6.534001620610556, 6.680405561129252)],
)
def test_a_teacher_of_another_class_gives_the_rows_it_gave(
    name: str, entropy_nats: float, loss_nats: float, tiny_roberta: Path, corpus: CorpusFacts, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_roberta)
    model_of(name, tokenizer).save_pretrained(tmp_path / "teacher")
    tokenizer.save_pretrained(tmp_path / "teacher")
    data = data_task(tmp_path / "data", tmp_path / "teacher", corpus)
    quality = fill(data)
    evaluation = evaluate_candidate(
        evaluate_task(data, SHAPE, initialization="random", hyperparameters={"learning_rate": 1e-3}),
        load_masked_lm(tmp_path / "teacher"),
        load_search_data(tmp_path / "data"),
    )
    counts = counts_of(data.teacher)
    assert quality.entropy_nats == pytest.approx(entropy_nats, rel=1e-5)  # other processors round otherwise
    assert evaluation.loss_nats == pytest.approx(loss_nats, rel=1e-5)
    counted = counts.parameters(SHAPE)
    assert (counted.embeddings, counted.encoder, counted.head) == (20_808, 8_960, 1_448)
    assert counts.flops(SHAPE, 32) == 737_280
    assert (str(data.teacher.architecture)[:6], data.teacher.architecture.family) == ("L2-A4-", "bert")
    assert not data.teacher.can_be_inherited
