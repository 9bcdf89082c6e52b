"""How well scores order the answers to each query.

nDCG has the labels themselves as gains and a discount of 1 / log2(place + 1), as scikit-learn's `ndcg_score` and
trec_eval do; equal scores share their places' discounts. MRR and recall take an answer with a label above 0 as
relevant, and order equal scores with the irrelevant first: a model earns nothing by not deciding. A query without a
relevant answer has no order to find, and is left out. Errors are over queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.core.measurement import Metric
from ose.tasks.text_classification.resampling import Floats, Ids, mean_metric, numbered

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ordered:
    """Items sorted by query, and within a query by score, best first and of equal scores the least relevant first.

    Attributes:
        query: (N,), numbers from 0.
        place: (N,), within the query, 0 for the first.
        tie: (N,), a number for each set of equal scores in one query.
        relevance: (N,).
    """

    query: Places
    place: Places
    tie: Places
    relevance: Floats


def ranking_metrics(scores: Floats, labels: Floats, query_ids: Ids, k: int = 10) -> dict[str, Metric]:
    """`ndcg_at_k`, `mrr_at_k` and `recall_at_k`, means over queries that have a relevant answer.

    Args:
        scores: (N,).
        labels: (N,), at least 0; above 0 is relevant. One query at least has such an answer.
        query_ids: (N,), equal for answers to one query.
        k: Places that count.
    """
    return {name: mean_metric(values) for name, values in ranking_values(scores, labels, query_ids, k).items()}


def ranking_values(scores: Floats, labels: Floats, query_ids: Ids, k: int = 10) -> dict[str, Floats]:
    """The same for each query that has a relevant answer."""
    ordered = _ordered(scores, labels, numbered(query_ids))
    ideal = _dcg(_ordered(labels, labels, numbered(query_ids)), k)
    counts = ideal > 0
    relevant = _total(ordered, ordered.relevance > 0)
    found = _total(ordered, (ordered.relevance > 0) & (ordered.place < k))
    return {
        f"ndcg_at_{k}": _dcg(ordered, k)[counts] / ideal[counts],
        f"mrr_at_{k}": _reciprocal_ranks(ordered, k)[counts],
        f"recall_at_{k}": found[counts] / relevant[counts],
    }


def top_agreement(scores: Floats, teacher_scores: Floats, query_ids: Ids) -> Metric | None:
    """Share of the queries whose first answer is the teacher's too; None if no query has two answers to choose from.

    A query with one answer is left out. Of equal scores the one that the teacher likes least counts as first.
    """
    ordered = _ordered(scores, teacher_scores, numbered(query_ids))
    best = np.full(ordered.query[-1] + 1, -np.inf)
    np.maximum.at(best, ordered.query, ordered.relevance)
    is_choice = np.bincount(ordered.query) > 1
    agrees = (ordered.relevance[ordered.place == 0] == best)[is_choice]
    return mean_metric(agrees.astype(np.float64)) if len(agrees) else None


def num_queries_without_relevant(labels: Floats, query_ids: Ids) -> int:
    """Queries that ranking metrics leave out, because none of their answers is relevant."""
    return int((np.bincount(numbered(query_ids), weights=labels > 0) == 0).sum())


def _ordered(scores: Floats, relevance: Floats, query: Places) -> _Ordered:
    order = np.lexsort((relevance, -scores, query))
    query, scores = query[order], scores[order]
    starts = np.searchsorted(query, np.arange(query[-1] + 1))
    is_new = np.diff(query, prepend=-1).astype(bool) | np.diff(scores, prepend=np.nan).astype(bool)
    return _Ordered(
        query=query,
        place=np.arange(len(query)) - starts[query],
        tie=np.cumsum(is_new) - 1,
        relevance=relevance[order],
    )


def _dcg(ordered: _Ordered, k: int) -> Floats:
    discounts = np.where(ordered.place < k, 1 / np.log2(ordered.place + 2), 0.0)
    shared = np.bincount(ordered.tie, weights=discounts) / np.bincount(ordered.tie)
    return _total(ordered, ordered.relevance * shared[ordered.tie])


def _reciprocal_ranks(ordered: _Ordered, k: int) -> Floats:
    counts = (ordered.relevance > 0) & (ordered.place < k)
    ranks = np.zeros(ordered.query[-1] + 1)
    np.maximum.at(ranks, ordered.query[counts], 1 / (ordered.place[counts] + 1))
    return ranks


def _total(ordered: _Ordered, values: NDArray[Any]) -> Floats:
    """(Q,): the sum over each query's items."""
    return np.bincount(ordered.query, weights=values).astype(np.float64)
