from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest
from fake_search import Search

from ose.store.base import Store
from ose.store.database import open_store


@pytest.fixture
def new_store(empty_sqlite: Path, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens one empty store after the other."""
    numbers = count()
    with ExitStack() as stack:

        def new() -> Store:
            file = shutil.copy(empty_sqlite, tmp_path / f"{next(numbers)}.db")
            return stack.enter_context(closing(open_store(f"sqlite:///{file}")))

        yield new


@pytest.fixture
def store(new_store: Callable[[], Store]) -> Store:
    return new_store()


@pytest.fixture
def search(store: Store) -> Search:
    return Search(store)
