"""What reference rows need of classification: labels in the place of a teacher's answers, and answers judged."""

from __future__ import annotations

from dataclasses import replace

import torch

from ose.errors import CorpusError
from ose.tasks.base import HeldOutQuality
from ose.tasks.text_classification.classification_data import ClassificationData
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.quality import quality_of


class ClassificationReferences:
    """See `ose.tasks.base.References`."""

    def labelled(self, data: ClassificationData) -> ClassificationData:
        """Each label becomes the answer of a teacher that is sure of it.

        Raises:
            CorpusError: There are no labels.
        """
        if data.train.labels is None:
            raise CorpusError("the corpus has no labels")
        return replace(data, answers=sure_answers(data.train.labels, data.answers))

    def quality_of(self, answers: torch.Tensor, data: ClassificationData) -> HeldOutQuality:
        """As of the logits that give these answers.

        Raises:
            NonFiniteLossError: One is not finite.
        """
        return quality_of(_logits_of(answers, data.kind), data)

    def batch(self, input_ids: torch.Tensor) -> TextItems:
        """Texts of one length."""
        return TextItems.unpadded(input_ids)


def sure_answers(labels: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Labels in the form of a teacher's answers.

    Numbers are put on the teacher's scale, whose mean and spread over the same items they get: a reranker is trained on
    0 and 1, and its logits are neither.

    Args:
        labels: (N,) ids or numbers, or (N, L) zeros and ones.
        answers: The teacher's, whose form is wanted.
    """
    if answers.ndim == 2:
        return _on_scale(labels.double(), answers[:, 0].double()).to(answers)[:, None]
    shares = torch.zeros_like(answers)
    if labels.ndim == 1:
        shares.scatter_(2, labels.long()[:, None, None], 1.0)
    else:
        shares[..., 0], shares[..., 1] = labels, 1 - labels
    return shares.log()


def _on_scale(labels: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    spread = labels.std(unbiased=False)
    scale = answers.std(unbiased=False) / spread if spread > 0 else torch.ones_like(spread)
    return answers.mean() + scale * (labels - labels.mean())


def _logits_of(answers: torch.Tensor, kind: Kind) -> torch.Tensor:
    """(N, L): logits of which `answers_of` makes these answers."""
    if kind == "single_label":
        return answers[:, 0]
    return answers[..., 0] - answers[..., 1] if kind == "multi_label" else answers
