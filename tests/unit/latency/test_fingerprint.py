import platform
from pathlib import Path

import psutil
import pytest
import torch

from ose.latency.fingerprint import device_fingerprint, load_average
from ose.runtimes.torch.rules import RULES


def test_the_fingerprint_is_this_machines() -> None:
    fingerprint = device_fingerprint(RULES)
    assert fingerprint.machine == platform.machine()
    assert fingerprint.accelerator is None
    assert 1 <= fingerprint.num_cores <= (psutil.cpu_count() or 1)
    assert fingerprint.operating_system.startswith(platform.system())
    assert fingerprint.python == platform.python_version()
    assert fingerprint.runtime == f"torch {torch.__version__}"
    assert fingerprint.processor


def test_the_fingerprint_is_always_the_same() -> None:
    assert device_fingerprint(RULES) == device_fingerprint(RULES)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="another system names its processor elsewhere")
def test_the_processor_goes_by_the_name_the_system_gives_it() -> None:
    assert device_fingerprint(RULES).processor in (
        Path("/proc/cpuinfo").read_text(encoding="utf8") + platform.processor() + platform.machine()
    )


def test_the_load_is_a_number_of_processes() -> None:
    assert 0 <= load_average() < 10_000
