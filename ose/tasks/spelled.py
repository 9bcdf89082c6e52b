"""The vocabulary's judgement where submission could not run the tokenizer, which only its own library reads."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from transformers import PreTrainedTokenizerBase

from ose.core.messages import CalibrationRequest, DataRequest
from ose.data.spelling import require_spelling, spelling_of

_MOST = 500
"""Texts that are looked at."""


def require_spelled(
    request: DataRequest | CalibrationRequest, texts: Iterable[str], tokenizer: PreTrainedTokenizerBase
) -> None:
    """Refuse text that the vocabulary cannot spell, unless that was looked at before, or the job takes it as it is.

    Args:
        request: Of the job.
        texts: Of its training part.
        tokenizer: The teacher's.

    Raises:
        CorpusError: More than half of its tokens are unknown, or pieces of words.
    """
    seen, backend = request.corpus.texts, getattr(tokenizer, "backend_tokenizer", None)
    is_known = seen is not None and seen.tokens_per_word is not None
    if is_known or request.corpus_spec.as_is or backend is None:
        return
    backend.no_truncation()
    backend.no_padding()
    require_spelling(spelling_of(islice(texts, _MOST), backend), "the training text")
