import gc

import pytest

from ose.core.imports import without_collection


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_is_as_it_was_afterwards_whatever_happens(is_enabled: bool) -> None:
    was_enabled = gc.isenabled()
    (gc.enable if is_enabled else gc.disable)()
    try:
        with pytest.raises(ImportError), without_collection():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() is is_enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
