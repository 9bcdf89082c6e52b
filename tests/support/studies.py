"""Optuna's storage, opened as a dashboard would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.storages import RDBStorage

from ose.store.base import Store


@contextmanager
def open_studies(store: Store) -> Iterator[RDBStorage]:
    storage = RDBStorage(store.studies_url())
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
