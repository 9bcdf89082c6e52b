import os

import pytest

from workers.ray_environment import LOOPBACK_ONLY, QUIET, prepare_environment


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {**QUIET, **LOOPBACK_ONLY}:
        monkeypatch.setenv(name, "to be restored")
        monkeypatch.delenv(name)


def test_a_cluster_of_our_own_listens_on_loopback_alone() -> None:
    prepare_environment(is_local=True)
    assert {**QUIET, **LOOPBACK_ONLY}.items() <= os.environ.items()


def test_joining_a_cluster_leaves_its_addresses_alone() -> None:
    prepare_environment(is_local=False)
    assert QUIET.items() <= os.environ.items()
    assert not LOOPBACK_ONLY.keys() & os.environ.keys()


def test_people_can_override() -> None:
    name = next(iter(QUIET))
    os.environ[name] = "mine"
    prepare_environment(is_local=True)
    assert os.environ[name] == "mine"
