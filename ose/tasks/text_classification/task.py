"""Text classification: one text or two, to one label of many, to several at once, or to one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ose.core.job import Job
from ose.core.messages import CalibrationRequest
from ose.core.recipe import DistillationSpec, Precision
from ose.data.training_text import general_text
from ose.tasks.base import Examples, References, StepBatches
from ose.tasks.labelled import LabelledTask
from ose.tasks.text_classification.answers import answers_of, distances, drawn_truth, variance_of
from ose.tasks.text_classification.augmentation import augmentation_of
from ose.tasks.text_classification.batches import batches_of, general_batches_of
from ose.tasks.text_classification.calibration_sample import LEAST_TOKENS, CalibrationSample, first_items
from ose.tasks.text_classification.card import student_card
from ose.tasks.text_classification.classification_data import ClassificationData, on_device
from ose.tasks.text_classification.corpus_items import sample_items, training_items
from ose.tasks.text_classification.evaluation import evaluate
from ose.tasks.text_classification.forward import EncodedTexts, all_logits, encode, logits_of
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.label_training import label_loss, label_metrics, trainable_model
from ose.tasks.text_classification.labelled_data import labelled_data
from ose.tasks.text_classification.output_losses import output_losses
from ose.tasks.text_classification.predict import likeliest_labels, probes
from ose.tasks.text_classification.quality import judge, quality_of
from ose.tasks.text_classification.references import ClassificationReferences
from ose.tasks.text_classification.rules import RULES
from ose.tasks.text_classification.search_data import compute_targets, load_search_data, prepare_data
from ose.tasks.text_classification.teacher import MODEL_CLASS, kind_of_model, load_classifier, load_tokenizer
from ose.training.precision import autocast

_SAMPLE_SEED = 0
"""One sample for all seeds: what a teacher is like does not depend on the search."""


class TextClassification:
    """The teacher's answers, a few numbers an item, are what students learn.

    What each of these is for, `ose.tasks.base.Task` says.
    """

    rules = RULES
    references: References | None = ClassificationReferences()
    model_class = MODEL_CLASS

    load_teacher = staticmethod(load_classifier)
    load_tokenizer = staticmethod(load_tokenizer)
    prepare = staticmethod(prepare_data)
    compute_targets = staticmethod(compute_targets)
    load_data = staticmethod(load_search_data)
    on_device = staticmethod(on_device)
    judge = staticmethod(judge)
    quality_of = staticmethod(quality_of)
    card = staticmethod(student_card)
    predict = staticmethod(likeliest_labels)
    evaluate = staticmethod(evaluate)

    labelled_data = staticmethod(labelled_data)
    trainable_model = staticmethod(trainable_model)
    label_batches = staticmethod(batches_of)
    label_loss = staticmethod(label_loss)
    label_metrics = staticmethod(label_metrics)
    probes = staticmethod(probes)

    def loss(
        self, student: PreTrainedModel, data: ClassificationData, rows: torch.Tensor, precision: Precision
    ) -> torch.Tensor:
        """Distance from the teacher's answers."""
        with autocast(student.device, precision):
            logits = logits_of(student, data.train.inputs(rows))
        return distances(data.answers[rows], answers_of(logits, data.kind), data.variance).mean()

    def held_out_losses(
        self, data: ClassificationData, rows: torch.Tensor, device: torch.device
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Distance from the teacher's answers, by a head's outputs (B, 1, L)."""
        expected = answers_of(data.held_out_logits[rows], data.kind).to(device)
        return lambda outputs: distances(expected, answers_of(outputs[:, 0], data.kind), data.variance)

    def sample(self, request: CalibrationRequest, teacher: PreTrainedModel) -> CalibrationSample:
        """Items of the training part, as many as have the tokens asked for, and what the teacher might say of them."""
        num_tokens = request.num_sequences * request.corpus_spec.sequence_length
        drawn = sample_items(request, "train", -(-num_tokens // LEAST_TOKENS), _SAMPLE_SEED)
        items = first_items(drawn.items, num_tokens)
        answers = answers_of(all_logits(teacher, items).cpu(), drawn.kind)
        truth = drawn_truth(answers, torch.Generator().manual_seed(_SAMPLE_SEED))
        return CalibrationSample(items, truth, drawn.kind)

    def outputs(self, model: PreTrainedModel, examples: Examples) -> torch.Tensor:
        """What `answers_of` makes of the logits."""
        with torch.inference_mode():
            return answers_of(logits_of(model, examples.inputs()), kind_of_model(model))

    def distance(self, teacher_outputs: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        """Between two models' answers."""
        return distances(teacher_outputs, outputs, variance_of(teacher_outputs)).mean()

    def step_batches(
        self, job: Job, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> StepBatches:
        """Items of the whole training part, epoch after epoch, changed anew each time if the recipe says so."""
        items = training_items(job, tokenizer, folder)
        return batches_of(items, spec, augmentation_of(job, spec, items, tokenizer, folder))

    def general_batches(
        self, job: Job, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> StepBatches:
        """Full sequences, nothing of which is masked."""
        return general_batches_of(general_text(job, tokenizer, folder), spec)

    def encode(self, model: PreTrainedModel, batch: TextItems, *, all_layers: bool) -> EncodedTexts:
        """Texts of about one length."""
        return encode(model, batch.inputs(), all_layers=all_layers)

    def output_losses(
        self,
        student: EncodedTexts,
        teacher: Callable[[], EncodedTexts],
        batch: TextItems,
        spec: DistillationSpec,
    ) -> Mapping[str, torch.Tensor]:
        """See `ose.tasks.text_classification.output_losses`."""
        return output_losses(student, teacher, batch, spec)


TASK: LabelledTask = TextClassification()
