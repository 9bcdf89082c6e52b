"""What every Store promises, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import builders
import pytest
from stored import claimed

from ose.core.job import Candidate
from ose.store.base import Store
from ose.store.database import open_store


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(open_store(store_url)) as store:
        yield store


@pytest.fixture
def candidate(store: Store) -> Candidate:
    """The only candidate of a job that `owner` runs."""
    return store.add_candidates(claimed(store).id, "owner", [builders.new_candidate()])[0]
