import os
import subprocess
import sys

import pytest

from ose.workers.ray.environment import LOOPBACK_ONLY, QUIET, environment, prepare_environment

READ = "import os; print(os.environ.get('OSE_TEST_NEW'), os.environ.get('OSE_TEST_OLD'))"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
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


def told() -> str:
    return subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.processes
def test_processes_started_meanwhile_inherit_and_later_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSE_TEST_OLD", "before")
    monkeypatch.delenv("OSE_TEST_NEW", raising=False)
    with environment({"OSE_TEST_NEW": "1", "OSE_TEST_OLD": "2"}):
        assert told() == "1 2"
    assert told() == "None before"
    assert "OSE_TEST_NEW" not in os.environ
