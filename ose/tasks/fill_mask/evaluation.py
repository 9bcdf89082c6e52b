"""Judge masked language models by the tokens that stand in a text."""

from __future__ import annotations

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from ose.core.measurement import Metric, metric_of
from ose.core.model_report import EvaluationQuestion, EvaluationReport, ModelReport
from ose.data.corpus import pack_corpus
from ose.errors import TeacherError
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule, draw_masks
from ose.tasks.fill_mask.metrics import METRICS, Outputs
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer

_SEED = 0
"""The same masks for all models, always."""

_ROWS_AT_ONCE = 16
_CHOICES = "choices"


def evaluate(question: EvaluationQuestion) -> EvaluationReport:
    """See `ose.tasks.base.Task`. Masks are BERT's, 15 in 100 tokens, drawn once; errors are over sequences."""
    tokenizer = load_tokenizer(question.models[0])
    teacher = question.teacher
    for other in [*question.models[1:], *([] if teacher is None else [teacher])]:
        _require_same_tokens(tokenizer, question.models[0], other)
    masked = _masked(question, tokenizer)
    choices = None if teacher is None else _figures(teacher, masked, question.device)[_CHOICES]
    figures = [_beside(choices, _figures(place, masked, question.device)) for place in question.models]
    return EvaluationReport(
        task="fill_mask",
        num_items=len(masked.input_ids),
        sequence_length=question.corpus_spec.sequence_length,
        share_cut=0.0,
        labels_without_example=(),
        models=tuple(
            ModelReport(
                model=place,
                metrics={name: metric_of(values.tolist()) for name, values in each.items()},
                differences={} if each is figures[0] else _differences(each, figures[0]),
            )
            for place, each in zip(question.models, figures, strict=True)
        ),
    )


def _masked(question: EvaluationQuestion, tokenizer: PreTrainedTokenizerBase) -> MaskedBatch:
    packed = pack_corpus(question.corpus, question.corpus_spec, tokenizer, "validation", seed=_SEED)
    generator = torch.Generator().manual_seed(_SEED)
    return draw_masks(torch.from_numpy(packed.astype(np.int64)), MaskingRule.for_tokenizer(tokenizer), generator)


def _beside(teachers: torch.Tensor | None, found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The metrics alone, and beside a teacher the share of masked tokens of which both say the same."""
    choices = found.pop(_CHOICES)
    return found if teachers is None else {**found, "agreement": (choices == teachers).double().mean(dim=1)}


def _figures(place: str, masked: MaskedBatch, device: str) -> dict[str, torch.Tensor]:
    """Each metric of each sequence, and the likeliest token at each mask."""
    model = load_masked_lm(place).to(torch.device(device))  # type: ignore[arg-type] # transformers wraps it
    found: dict[str, list[torch.Tensor]] = {name: [] for name in (*METRICS, _CHOICES)}
    with torch.inference_mode():
        for rows in torch.arange(len(masked.input_ids)).split(_ROWS_AT_ONCE):
            some = masked.take(rows).to(model.device)
            logits = logits_at(model, some.input_ids, some.positions)
            outputs = Outputs(logits=logits, log_probs=logits.float().log_softmax(dim=-1), labels=some.labels)
            found[_CHOICES].append(logits.argmax(-1).cpu())
            for name, metric in METRICS.items():
                found[name].append(metric(outputs).cpu())
    return {name: torch.cat(parts) for name, parts in found.items()}


def _differences(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> dict[str, Metric]:
    return {name: metric_of((values - theirs[name]).tolist()) for name, values in ours.items()}


def _require_same_tokens(tokenizer: PreTrainedTokenizerBase, first: str, other: str) -> None:
    if load_tokenizer(other).get_vocab() != tokenizer.get_vocab():
        raise TeacherError(f"{other} has other tokens than {first}: their losses are of different things")
