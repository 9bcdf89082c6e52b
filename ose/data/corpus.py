"""From a job's text to packed sequences: which documents are read, and which are held out."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from ose.core.job import CorpusFacts
from ose.core.spec import CorpusSpec
from ose.data.document_sides import documents_of, side_documents
from ose.data.grouping import MIN_TOKENS, group_sequences
from ose.data.packing import PackedCount, pack_sequences
from ose.data.text_position import Side, position_of
from ose.errors import CorpusError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTES_PER_TOKEN = 4
_CHARACTERS_PER_TOKEN = 8
"""More than tokens have on average: documents beyond so many characters a token are not kept for a sample."""

_OVERSAMPLING = 4
"""Documents for four times the wanted tokens are drawn, because tokens may be longer than that; sequences
for four times the wanted ones are packed, so that those kept come from more documents."""


def pack_corpus(
    facts: CorpusFacts,
    spec: CorpusSpec,
    tokenizer: PreTrainedTokenizerBase,
    side: Side,
    *,
    num_sequences: int | None = None,
    seed: int = 0,
    count: PackedCount | None = None,
) -> np.ndarray:
    """Read, tokenise and pack one side of a corpus, and shuffle the sequences.

    Args:
        facts: The files.
        spec: Sequence length, columns and the bound on tokens.
        tokenizer: The teacher's.
        side: Training or held-out text.
        num_sequences: Sequences wanted. Documents are then sampled by their hash from the whole corpus,
            so a search on a large corpus reads a fair part of it. None packs everything.
        seed: Decides sample and order.
        count: Counts the sequences that were packed to choose from.

    Returns:
        (N, T); N may be less than asked for.

    Raises:
        CorpusError: The text gives no full sequence.
    """
    count = count or PackedCount()
    limit = max(1, spec.max_tokens // spec.sequence_length)
    share = 1.0
    documents: Iterable[str] = side_documents(facts, spec, side)
    if num_sequences is not None:
        limit = min(limit, num_sequences * _OVERSAMPLING)
        if side == "train" and facts.size_bytes:  # a dataset of the hub has no size here and is read from its start
            share = _share(facts, spec, num_sequences)
            documents = _sample(documents, share, seed, limit * spec.sequence_length * _CHARACTERS_PER_TOKEN)
    sequences = pack_sequences(documents, tokenizer, spec.sequence_length, limit, count)
    if share < 1 and len(sequences) < min(limit, num_sequences or limit):
        # Where documents are few and long, a sample of them may be next to nothing.
        count.num_kept = count.num_dropped = 0
        sequences = pack_sequences(side_documents(facts, spec, side), tokenizer, spec.sequence_length, limit, count)
    _require_some(count, f"the {side} text", spec.sequence_length)
    order = np.random.default_rng(seed).permutation(len(sequences))
    return sequences[order[:num_sequences]]


def pack_general(facts: CorpusFacts, spec: CorpusSpec, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Read, tokenise and pack the text without labels, (N, T).

    Raises:
        CorpusError: It does not fill one sequence.
    """
    documents = documents_of(facts.general, facts, spec)
    limit, count = max(1, spec.max_tokens // spec.sequence_length), PackedCount()
    sequences = pack_sequences(documents, tokenizer, spec.sequence_length, limit, count)
    _require_some(count, "corpus.general", spec.sequence_length)
    return sequences


def _require_some(count: PackedCount, what: str, sequence_length: int) -> None:
    """Refuse text that gives no sequence, and say why not."""
    if count.num_kept:
        return
    if count.num_dropped:
        raise CorpusError(
            f"{what} gives no sequence: all {count.num_dropped:,} of {sequence_length} tokens were left out, because "
            "the teacher's vocabulary does not know most of each; take text of the teacher's language"
        )
    raise CorpusError(f"{what} is too short: it does not fill one sequence of {sequence_length} tokens")


def group_corpus(facts: CorpusFacts, spec: CorpusSpec, tokenizer: PreTrainedTokenizerBase) -> tuple[np.ndarray, ...]:
    """Read and tokenise the training text a document at a time. See `group_sequences`.

    Raises:
        CorpusError: No document is long enough.
    """
    groups = group_sequences(side_documents(facts, spec, "train"), tokenizer, spec.sequence_length, spec.max_tokens)
    if not groups:
        raise CorpusError(
            f"no document of the train text makes a sequence of {MIN_TOKENS} tokens; use distillation.sequences: packed"
        )
    return groups


def _share(facts: CorpusFacts, spec: CorpusSpec, num_sequences: int) -> float:
    wanted_bytes = num_sequences * spec.sequence_length * _BYTES_PER_TOKEN * _OVERSAMPLING
    return wanted_bytes / facts.size_bytes


def _sample(documents: Iterable[str], share: float, seed: int, most_characters: int) -> list[str]:
    """Documents by their hash, in its order: wherever packing stops, what it has read is a fair part.

    Of archives more is drawn than was wanted, because a share of their size is more of their text; what lies behind
    `most_characters` is dropped again.
    """
    kept: list[tuple[float, str]] = []  # a heap, from which the last by its hash is taken
    room = most_characters
    for document in documents:
        position = position_of(document, str(seed))
        if position < share:
            heappush(kept, (-position, document))
            room -= len(document)
        while kept and room + len(kept[0][1]) < 0:
            room += len(heappop(kept)[1])
    return [document for _, document in sorted((-negative, document) for negative, document in kept)]
