import math
import random
import statistics
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

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
        is_flagged=False,
        fingerprint=FINGERPRINT,
    )


def test_the_medians_standard_error_is_the_spread_of_medians() -> None:
    rng = random.Random(0)
    found = [measurement([rng.gauss(20, 2) for _ in range(101)]) for _ in range(600)]
    observed = statistics.stdev(m.p50_ms for m in found)
    assert statistics.mean(m.p50_stderr_ms for m in found) == pytest.approx(observed, rel=0.1)


def beside_teacher(**changes: float) -> LatencyMeasurement:
    values = {"ratio": 0.1, "ratio_stderr": 0.002, "absolute_stderr_ms": 0.3, "p50_ms": 10.0, "long_p50_ms": 30.0}
    return replace(measurement([9.0, 10.0, 11.0]), **{**values, **changes})


def test_beside_others_of_one_teacher_the_teachers_error_does_not_count() -> None:
    assert beside_teacher().p50_stderr_ms == pytest.approx(0.2)
    assert beside_teacher(ratio=None).p50_stderr_ms == 0.3


def test_another_time_of_the_teacher_leaves_the_ratio_and_moves_the_times() -> None:
    teacher = beside_teacher(ratio=1.0, ratio_stderr=0.0, p50_ms=50.0, absolute_stderr_ms=0.5)
    moved = beside_teacher().beside(teacher)
    assert (moved.ratio, moved.ratio_stderr) == (0.1, 0.002)
    assert (moved.p50_ms, moved.long_p50_ms) == pytest.approx((5.0, 15.0))
    assert moved.absolute_stderr_ms == pytest.approx(5.0 * math.hypot(0.02, 0.01))


def test_what_was_measured_before_there_were_ratios_stays_as_it_is() -> None:
    former = measurement([9.0, 10.0, 11.0])
    assert former.beside(beside_teacher()) == former
    assert beside_teacher().beside(former) == beside_teacher()


def test_what_was_stored_before_there_were_ratios_is_read() -> None:
    adapter = TypeAdapter(LatencyMeasurement)
    former = adapter.dump_python(measurement([9.0, 10.0, 11.0]), mode="json")
    rounds = ("cpu_samples_ms", "reference_samples_ms", "reference_cpu_samples_ms")
    for name in ("ratio", "ratio_stderr", "absolute_stderr_ms", *rounds):
        del former[name]
    read = adapter.validate_python({**former, "num_attempts": 3, "pace_ms": 1.5})
    assert read == measurement([9.0, 10.0, 11.0])


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
