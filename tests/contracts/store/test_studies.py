"""Optuna's tables beside ours, some of which have the same names."""

from __future__ import annotations

from contextlib import closing

import optuna
from stored import claimed
from studies import open_studies

from ose.store.base import Store
from ose.store.database import open_store


def test_studies_lie_beside_the_tables_and_disturb_nothing(store: Store, store_url: str) -> None:
    claimed(store, "job-1")
    with open_studies(store) as storage:
        study = optuna.create_study(study_name="of a test", storage=storage)
        study.add_trial(optuna.trial.create_trial(value=1.0))
    with open_studies(store) as storage:
        assert optuna.load_study(study_name="of a test", storage=storage).best_value == 1.0
    with closing(open_store(store_url)) as again:  # our version of the tables is still the one that is found
        assert again.job("job-1").id == "job-1"
