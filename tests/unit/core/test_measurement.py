import random
import statistics

import pytest

from ose.core.measurement import DeviceFingerprint, LatencyMeasurement, LatencyProtocol
from ose.errors import InvalidInputError

FINGERPRINT = DeviceFingerprint(
    machine="x86_64",
    processor="Example CPU",
    num_cores=2,
    accelerator=None,
    operating_system="Linux",
    python="3.11",
    runtime="torch 2",
)


def measurement(samples_ms: list[float]) -> LatencyMeasurement:
    deciles = statistics.quantiles(samples_ms, n=10)
    return LatencyMeasurement(
        p10_ms=deciles[0],
        p50_ms=deciles[4],
        p90_ms=deciles[8],
        samples_ms=tuple(samples_ms),
        load_before=0.0,
        load_after=0.0,
        num_attempts=1,
        is_flagged=False,
        fingerprint=FINGERPRINT,
    )


def test_the_medians_standard_error_is_the_spread_of_medians() -> None:
    rng = random.Random(0)
    found = [measurement([rng.gauss(20, 2) for _ in range(101)]) for _ in range(600)]
    observed = statistics.stdev(m.p50_ms for m in found)
    assert statistics.mean(m.p50_stderr_ms for m in found) == pytest.approx(observed, rel=0.1)


@pytest.mark.parametrize("name", ["threads", "batch_size", "sequence_length"])
def test_a_protocol_without_work_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"latency.{name} must be positive, not 0"):
        LatencyProtocol(**{name: 0})


def test_a_device_is_called_by_its_accelerator_or_processor() -> None:
    assert str(FINGERPRINT) == "Example CPU (2 cores), torch 2"
