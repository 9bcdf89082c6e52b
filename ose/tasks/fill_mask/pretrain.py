"""Pre-train a small RoBERTa teacher from nothing, and say how good it became.

The search never needs this: it takes any trained teacher. It exists because the
quickstart has to bring one along, and it can be trained again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase, RobertaConfig, RobertaForMaskedLM

from ose.tasks.fill_mask.evaluate import MaskedLmQuality, masked_lm_quality
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.local_attention import attend_locally
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule, draw_masks
from ose.tasks.fill_mask.ngrams import NgramLosses, ngram_losses
from ose.training.loop import Schedule, TrainingLoop
from ose.training.optimizer import build_optimizer


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingRecipe:
    """Everything that decides the result, beside the text."""

    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    hidden_size: int = 192
    intermediate_size: int = 768
    vocab_size: int = 8192
    sequence_length: int = 128
    num_steps: int = 2800
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup_fraction: float = 0.03
    initializer_range: float = 0.05
    """BERT's 0.02 suits a width of 768; at 192 it leaves attention flat for millions of tokens."""
    mask_fraction: float = 0.2
    """Above BERT's 15 %: more targets a sequence for the same encoder work."""
    max_grad_norm: float = 1.0
    held_out_sequences: int = 512
    checkpoint_every: int = 250
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingReport:
    """The trained teacher's held-out quality beside what it has to beat."""

    num_parameters: int
    num_training_tokens: int
    teacher: MaskedLmQuality
    ngrams: NgramLosses


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingProgress:
    """One line of the training log."""

    step: int
    num_steps: int
    loss_nats: float
    tokens_per_s: float
    time_left_s: float


def build_model(recipe: PretrainingRecipe, tokenizer: PreTrainedTokenizerBase) -> RobertaForMaskedLM:
    """A RoBERTa with random weights, drawn from the recipe's seed, that starts out looking at neighbours."""
    torch.manual_seed(recipe.seed)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=recipe.num_hidden_layers,
        num_attention_heads=recipe.num_attention_heads,
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        max_position_embeddings=recipe.sequence_length + tokenizer.pad_token_id + 1,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        initializer_range=recipe.initializer_range,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = RobertaForMaskedLM(config)
    attend_locally(model)
    return model


def pretrain(
    recipe: PretrainingRecipe,
    tokenizer: PreTrainedTokenizerBase,
    train: np.ndarray,
    held_out: np.ndarray,
    checkpoints: Path,
    on_progress: Callable[[PretrainingProgress], None],
) -> tuple[RobertaForMaskedLM, PretrainingReport]:
    """Train with masked language modelling, resuming from `checkpoints` if it holds any.

    Batches, masks and learning rate are functions of (seed, step), so an interrupted run
    continues on the curve it would have followed.

    Args:
        recipe: Shape and schedule.
        tokenizer: For the special tokens.
        train: (N, T) packed training sequences.
        held_out: (M, T) packed held-out sequences.
        checkpoints: Folder of this run's checkpoints.
        on_progress: Called every ten steps.

    Raises:
        StorageError: A checkpoint could not be written.
    """
    model = build_model(recipe, tokenizer).eval()  # eval: at this size dropout only costs time
    optimizer = build_optimizer(model, recipe.learning_rate)
    rule = MaskingRule.for_tokenizer(tokenizer, recipe.mask_fraction)
    losses: list[float] = []
    started = time.perf_counter()

    def on_step(step: int, _: float, loss: float) -> None:
        losses.append(loss)
        if step % 10 == 0:
            on_progress(_progress(recipe, step, losses, time.perf_counter() - started))

    loop = TrainingLoop(model, optimizer, _schedule(recipe), checkpoints)
    loop.run(lambda step: _backward(model, _training_batch(recipe, rule, train, step)), on_step)
    return model, report(recipe, tokenizer, model, train, held_out)


def report(
    recipe: PretrainingRecipe,
    tokenizer: PreTrainedTokenizerBase,
    model: RobertaForMaskedLM,
    train: np.ndarray,
    held_out: np.ndarray,
) -> PretrainingReport:
    """Score the model and the n-gram baselines at the same held-out positions (15 %, BERT's corruption)."""
    clean = torch.from_numpy(held_out[: recipe.held_out_sequences].astype(np.int64))
    rule = MaskingRule.for_tokenizer(tokenizer)
    masked = draw_masks(clean, rule, torch.Generator().manual_seed(recipe.seed))
    return PretrainingReport(
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
        num_training_tokens=recipe.num_steps * recipe.batch_size * recipe.sequence_length,
        teacher=masked_lm_quality(partial(logits_at, model), masked.input_ids, masked.positions, masked.labels),
        ngrams=ngram_losses(train, clean.numpy(), masked.positions.numpy(), len(tokenizer)),
    )


def _progress(recipe: PretrainingRecipe, step: int, losses: list[float], elapsed_s: float) -> PretrainingProgress:
    step_time_s = elapsed_s / len(losses)
    return PretrainingProgress(
        step=step,
        num_steps=recipe.num_steps,
        loss_nats=sum(losses[-10:]) / len(losses[-10:]),
        tokens_per_s=recipe.batch_size * recipe.sequence_length / step_time_s,
        time_left_s=(recipe.num_steps - step) * step_time_s,
    )


def _training_batch(recipe: PretrainingRecipe, rule: MaskingRule, train: np.ndarray, step: int) -> MaskedBatch:
    steps_per_epoch = max(1, len(train) // recipe.batch_size)
    epoch, offset = divmod(step, steps_per_epoch)
    order = np.random.default_rng((recipe.seed, epoch)).permutation(len(train))
    rows = order[offset * recipe.batch_size : (offset + 1) * recipe.batch_size]
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    return draw_masks(torch.from_numpy(train[rows].astype(np.int64)), rule, generator)


def _backward(model: RobertaForMaskedLM, batch: MaskedBatch) -> float:
    with torch.autocast("cpu", torch.bfloat16):
        logits = logits_at(model, batch.input_ids, batch.positions)
    loss = F.cross_entropy(logits.flatten(0, 1).float(), batch.labels.flatten())
    loss.backward()
    return loss.item()


def _schedule(recipe: PretrainingRecipe) -> Schedule:
    return Schedule(
        steps=recipe.num_steps,
        learning_rate=recipe.learning_rate,
        warmup_fraction=recipe.warmup_fraction,
        max_grad_norm=recipe.max_grad_norm,
        checkpoint_every=recipe.checkpoint_every,
    )
