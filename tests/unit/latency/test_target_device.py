from ose.latency.fingerprint import device_fingerprint
from ose.latency.target_device import target_device
from ose.runtimes.torch.engine import ENGINE
from ose.runtimes.torch.rules import RULES


def test_a_cpu_is_known_by_its_fingerprint_and_its_pace() -> None:
    device = target_device(RULES, ENGINE, "cpu")
    assert device.fingerprint == device_fingerprint(RULES)
    assert 0 < device.pace_ms() < 1000
    assert device.patience.wait(best_pace_ms=None)
