"""Masked language modelling: fill in the tokens that are masked, as the teacher would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase

from ose.core.job import Job
from ose.core.messages import CalibrationRequest
from ose.core.recipe import DistillationSpec, Precision
from ose.data.corpus import pack_corpus
from ose.data.training_text import training_text
from ose.tasks.base import Examples, References, StepBatches, Task
from ose.tasks.fill_mask.batches import batches_of
from ose.tasks.fill_mask.card import student_card
from ose.tasks.fill_mask.evaluation import evaluate
from ose.tasks.fill_mask.forward import EncodedTokens, encode, logits_at
from ose.tasks.fill_mask.held_out import judge, quality_of
from ose.tasks.fill_mask.loss import sampled_cross_entropy
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule, draw_masks
from ose.tasks.fill_mask.output_losses import output_losses
from ose.tasks.fill_mask.predict import likeliest_fillings, probes
from ose.tasks.fill_mask.resident_data import ResidentData, on_device
from ose.tasks.fill_mask.rules import RULES
from ose.tasks.fill_mask.search_data import FillMaskData, compute_targets, load_search_data, prepare_data
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer
from ose.training.losses import cross_entropy_to
from ose.training.precision import autocast

Data = FillMaskData | ResidentData

_SAMPLE_SEED = 0
"""One sample for all seeds: what a teacher is like does not depend on the search."""


class FillMask:
    """The teacher's distribution over the vocabulary at each masked position is what students learn.

    What each of these is for, `ose.tasks.base.Task` says.
    """

    rules = RULES
    references: References | None = None
    model_class = AutoModelForMaskedLM

    load_teacher = staticmethod(load_masked_lm)
    load_tokenizer = staticmethod(load_tokenizer)
    prepare = staticmethod(prepare_data)
    compute_targets = staticmethod(compute_targets)
    load_data = staticmethod(load_search_data)
    on_device = staticmethod(on_device)
    judge = staticmethod(judge)
    quality_of = staticmethod(quality_of)
    output_losses = staticmethod(output_losses)
    card = staticmethod(student_card)
    predict = staticmethod(likeliest_fillings)
    evaluate = staticmethod(evaluate)
    probes = staticmethod(probes)

    def loss(self, student: PreTrainedModel, data: Data, rows: torch.Tensor, precision: Precision) -> torch.Tensor:
        """Cross-entropy to the teacher's draws at the masked positions."""
        with autocast(student.device, precision):
            logits = logits_at(student, data.train.input_ids[rows], data.train.positions[rows])
        return sampled_cross_entropy(logits, data.draws_of(rows))

    def held_out_losses(
        self, data: Data, rows: torch.Tensor, device: torch.device
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Cross-entropy to the teacher's whole distributions."""
        probs = data.log_probs_of(rows).exp().to(device)

        def losses_of(logits: torch.Tensor) -> torch.Tensor:
            logits = logits.float()
            return (logits.logsumexp(dim=-1) - (probs * logits).sum(dim=-1)).double().mean(dim=1)

        return losses_of

    def sample(self, request: CalibrationRequest, teacher: PreTrainedModel) -> MaskedBatch:
        """Packed sequences with their masks, as those of a search."""
        tokenizer = load_tokenizer(request.teacher.path, request.teacher.digest)
        packed = pack_corpus(
            request.corpus,
            request.corpus_spec,
            tokenizer,
            "train",
            num_sequences=request.num_sequences,
            seed=_SAMPLE_SEED,
        )
        generator = torch.Generator().manual_seed(_SAMPLE_SEED)
        return draw_masks(torch.from_numpy(packed.astype(np.int64)), MaskingRule.for_tokenizer(tokenizer), generator)

    def outputs(self, model: PreTrainedModel, examples: Examples) -> torch.Tensor:
        """Log-probabilities at the masked positions."""
        with torch.inference_mode():
            logits = logits_at(model, examples.input_ids.to(model.device), examples.positions.to(model.device))
            return logits.float().log_softmax(dim=-1)

    def distance(self, teacher_outputs: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        """Cross-entropy between two models' log-probabilities."""
        return cross_entropy_to(teacher_outputs, outputs).mean()

    def step_batches(
        self, job: Job, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> StepBatches:
        """Sequences masked anew at each step."""
        return batches_of(training_text(job, spec.sequences, tokenizer, folder), spec, tokenizer)

    def general_batches(
        self, job: Job, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> StepBatches:
        """Those of the task: none of its text has labels."""
        return self.step_batches(job, spec, tokenizer, folder)

    def encode(self, model: PreTrainedModel, batch: MaskedBatch, *, all_layers: bool) -> EncodedTokens:
        """Full sequences, with the head run where logits are asked for."""
        return encode(model, batch.input_ids.to(model.device), all_layers=all_layers)


TASK: Task = FillMask()
