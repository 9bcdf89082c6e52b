import math
import random
import statistics

import pytest

from ose.core.measurement import (
    DeviceFingerprint,
    LatencyMeasurement,
    LatencyProtocol,
    Metric,
    mean_and_stderr,
    metric_of,
    metric_text,
)
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


def test_a_single_value_has_no_known_error() -> None:
    mean, stderr = mean_and_stderr([2.5])
    assert mean == 2.5
    assert math.isnan(stderr)


def test_the_standard_error_is_that_of_a_sample_mean() -> None:
    assert mean_and_stderr([1.0, 2.0, 4.0]) == pytest.approx((7 / 3, statistics.stdev([1, 2, 4]) / math.sqrt(3)))


def test_a_metric_of_a_single_item_has_no_error() -> None:
    assert metric_of([2.5]) == Metric(value=2.5, stderr=None)
    assert metric_of([1.0, 2.0]) == Metric(value=1.5, stderr=0.5)


def test_a_metric_is_read_in_the_unit_of_its_name() -> None:
    assert (metric_text("masked_lm_loss_nats", 1234.5678), metric_text("macro_f1", 0.4375)) == ("1,234.568", "43.8%")
    assert (metric_text("spearman", 0.8612), metric_text("ndcg_at_10", 0.589)) == ("0.861", "0.589")
