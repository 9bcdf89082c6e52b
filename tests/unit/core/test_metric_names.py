import pytest

from ose.core.metric_names import is_share, metric_label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("accuracy", "accuracy"),
        ("macro_f1", "macro F1"),
        ("ndcg_at_10", "nDCG@10"),
        ("recall_at_100", "recall@100"),
        ("teacher_spearman", "Spearman correlation with the teacher"),
        ("somebodys_own", "somebodys_own"),
        ("somebodys_own_at_5", "somebodys_own_at_5"),
    ],
)
def test_people_read_labels(name: str, label: str) -> None:
    assert metric_label(name) == label


def test_correlations_and_ranks_are_no_shares() -> None:
    assert all(map(is_share, ["accuracy", "micro_f1", "agreement", "recall_at_10", "somebodys_own"]))
    assert not any(
        map(
            is_share, ["matthews", "spearman", "teacher_pearson", "ndcg_at_5", "mrr_at_10", "own_nats", "squared_error"]
        )
    )
