"""Raw measurements: what was seen, with units and spread, before anyone scores it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated

from ose.core.bounds import BATCH, SECONDS, SEQUENCE, THREADS, require_bounds
from ose.core.metric_names import is_share


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyProtocol:
    """How inference latency is measured. Two figures compare only if their protocols are equal.

    Attributes:
        device: `cpu`, or `cuda` with an index (`cuda:0`).
        threads: Threads of one operation on the CPU.
        batch_size: Sequences at once. One, because a request that waits is what users feel.
        sequence_length: Tokens a sequence, all real; None leaves it to the task and the text of a job, which settle it
            when it is submitted.
        long_sequence_length: A second length, at which the model is timed too and by which nothing is ranked; None
            times none, or leaves that to them too.
        dtype: Precision of weights and arithmetic.
        runtime: What executes the model.
        seconds_per_shape: Time for the rounds in which models take turns, for each model and length. They end sooner
            where the figures are good enough; a busy machine needs more. Few models get the time of seventeen.
    """

    __pydantic_config__ = {"extra": "forbid"}

    device: str = "cpu"
    threads: Annotated[int, THREADS] = 1
    batch_size: Annotated[int, BATCH] = 1
    sequence_length: Annotated[int | None, SEQUENCE] = None
    long_sequence_length: Annotated[int | None, SEQUENCE] = None
    dtype: str = "float32"
    runtime: str = "torch"
    seconds_per_shape: Annotated[float, SECONDS] = 0.6

    def __post_init__(self) -> None:
        require_bounds(self, "latency.")

    @property
    def num_tokens(self) -> int:
        """Tokens a sequence, where nothing is said of them too."""
        return self.sequence_length or 128

    @property
    def inputs(self) -> tuple[tuple[int, int], ...]:
        """Batch size and tokens of what models are timed with: the usual input, and the long one if there is one."""
        lengths = (self.num_tokens, self.long_sequence_length)
        return tuple((self.batch_size, length) for length in lengths if length is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFingerprint:
    """The hardware and software a latency belongs to.

    Attributes:
        machine: The architecture of its processor, `x86_64`.
        processor: The processor's name.
        num_cores: Cores that the process may use.
        accelerator: The GPU's name; None of a CPU.
        operating_system: With its version.
        python: Python's version.
        runtime: What executed the model, with its version.
    """

    machine: str
    processor: str
    num_cores: int
    accelerator: str | None
    operating_system: str
    python: str
    runtime: str

    def __str__(self) -> str:
        return f"{self.accelerator or self.processor} ({self.num_cores} cores), {self.runtime}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyMeasurement:
    """One latency on one device.

    Attributes:
        p50_ms: What one call takes on the undisturbed machine: the ratio times what the reference takes, as far as it
            could be found out. Without a ratio the median of the samples.
        p10_ms, p90_ms: Percentiles of the samples.
        samples_ms: Wall-clock time of one call in the turn of each round, in order.
        load_before, load_after: The machine's one-minute load average.
        is_flagged: An error stayed above its bound: do not believe it.
        fingerprint: Where it was measured.
        other_load_cores: Cores that other processes kept busy meanwhile; None where that is not counted.
        long_p50_ms: The same as `p50_ms` at the protocol's second length; None where it has none.
        ratio: How long it takes in times of its reference, a job's teacher; None of measurements that were made before
            models took turns, and of what had no reference.
        ratio_stderr: Standard error of the ratio, over rounds.
        absolute_stderr_ms: Standard error of `p50_ms`, with that of the reference's time in it.
        cpu_samples_ms: The thread's processor time of one call in each round; None where models do not compute in the
            calling thread alone.
        reference_samples_ms, reference_cpu_samples_ms: Of the reference in the same rounds.
    """

    p10_ms: float
    p50_ms: float
    p90_ms: float
    samples_ms: tuple[float, ...]
    load_before: float
    load_after: float
    is_flagged: bool
    fingerprint: DeviceFingerprint
    other_load_cores: float | None = None
    long_p50_ms: float | None = None
    ratio: float | None = None
    ratio_stderr: float | None = None
    absolute_stderr_ms: float | None = None
    cpu_samples_ms: tuple[float, ...] | None = None
    reference_samples_ms: tuple[float, ...] | None = None
    reference_cpu_samples_ms: tuple[float, ...] | None = None

    @property
    def p50_stderr_ms(self) -> float:
        """Standard error, without that of the reference's time, which all that is compared with this shares.

        Of measurements before models took turns it is the median's, from the spread of the samples. For normal noise
        p90 - p10 spans 2.563 standard deviations, and the median of n samples has 1.253 times the standard error of
        their mean.
        """
        if self.ratio is not None and self.ratio_stderr is not None:
            return self.p50_ms * self.ratio_stderr / self.ratio
        if self.absolute_stderr_ms is not None:
            return self.absolute_stderr_ms
        deviation = (self.p90_ms - self.p10_ms) / 2.563
        return float(1.253 * deviation / len(self.samples_ms) ** 0.5)

    def beside(self, reference: LatencyMeasurement) -> LatencyMeasurement:
        """The same ratio with another time of the same reference, so that figures of one job have one scale."""
        if self.ratio is None or self.ratio_stderr is None or reference.absolute_stderr_ms is None:
            return self
        p50_ms = self.ratio * reference.p50_ms
        error = math.hypot(self.ratio_stderr / self.ratio, reference.absolute_stderr_ms / reference.p50_ms)
        change = p50_ms / self.p50_ms
        longer = None if self.long_p50_ms is None else change * self.long_p50_ms
        return replace(self, p50_ms=p50_ms, absolute_stderr_ms=error * p50_ms, long_p50_ms=longer)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLatency:
    """A model with one input, beside another model or alone.

    Attributes:
        batch_size: Sequences at once.
        sequence_length: Tokens of each.
        latency: Its ratio is to the reference; None if there is none.
        reference: The other model's.
    """

    batch_size: int
    sequence_length: int
    latency: LatencyMeasurement
    reference: LatencyMeasurement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure of quality that people read beside the loss; nothing is ranked by it.

    Its name ends in its unit, as in `masked_lm_loss_nats`. Without a unit it is a share, read in percent, unless
    `ose.core.metric_names` says that it is none, as correlations are.

    Attributes:
        value: Of the held-out items; mostly their mean.
        stderr: Its standard error; None where it is not known, as of a single item.
    """

    value: float
    stderr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFlips:
    """What a model makes of the items to which its teacher gives one label.

    Attributes:
        label: The teacher's label, its id.
        num_items: Items to which the teacher gives it.
        num_flipped: Those to which the model does not.
        share: The flipped ones of all, with its standard error.
        most_often: The label that most of them are given instead, of equals the one with the lowest id; None if none
            is flipped, or if an item may have several labels.
    """

    label: int
    num_items: int
    num_flipped: int
    share: Metric
    most_often: int | None


def metric_of(values: Sequence[float]) -> Metric:
    """The mean of one value for each held-out item, with its standard error."""
    mean, stderr = mean_and_stderr(values)
    return Metric(value=mean, stderr=None if math.isnan(stderr) else stderr)


def metric_text(name: str, value: float) -> str:
    """A metric's value, or its standard error, as people read it: a share in percent, all else with three digits."""
    return f"{value:.1%}" if is_share(name) else f"{value:,.3f}"


def text_with_error(name: str, value: float, error: float | None) -> str:
    """A metric's value with its standard error or its spread, where that is known."""
    text = metric_text(name, value)
    return text if error is None else f"{text} ± {metric_text(name, error)}"


def metrics_json(metrics: Mapping[str, Metric]) -> dict[str, dict[str, float | None]]:
    """Metrics as plain values."""
    return {name: asdict(metric) for name, metric in metrics.items()}


def mean_and_stderr(values: Sequence[float]) -> tuple[float, float]:
    """Mean of independent values and its standard error, NaN of a single value."""
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return mean, math.nan
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return mean, math.sqrt(variance / count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one trial found out about a candidate's quality.

    Attributes:
        loss_nats: Cross-entropy between the teacher's and the student's distributions at the held-out
            masked positions, mean over targets (the paper's e).
        loss_stderr_nats: Its standard error over sequences.
        metrics: What else its task says of it, by name.
        sequence_losses_nats: The loss of each held-out sequence, in order: candidates saw the same ones,
            so differences are to be taken in pairs.
        training_losses_nats: The loss of each training step, in order.
        num_steps: Steps trained.
        wall_time_s: Build, training and evaluation.
        training_time_s: The training steps alone.
        peak_memory_bytes: The worker's resident peak.
        teacher_layers: The teacher's layers that the student kept; None of a random start.
        first_step: Steps that an earlier trial had done, whose checkpoint this one went on from; times are of the
            steps after them.
        divergence_stderr_nats: Standard error of the loss less the teacher's entropy, paired by sequence; None where
            the entropy of each sequence was not stored.
    """

    loss_nats: float
    loss_stderr_nats: float
    metrics: Mapping[str, Metric]
    sequence_losses_nats: tuple[float, ...]
    training_losses_nats: tuple[float, ...]
    num_steps: int
    wall_time_s: float
    training_time_s: float
    peak_memory_bytes: int
    teacher_layers: tuple[int, ...] | None = None
    first_step: int = 0
    divergence_stderr_nats: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherCheck:
    """One thing that a teacher was held against before anything was learnt from it.

    Attributes:
        name: What was measured, with its unit.
        value: The teacher's.
        bound: What it was held against.
        is_passed: Whether it is what it seems, by this.
        told: Both figures in words.
    """

    name: str
    value: float
    bound: float
    is_passed: bool
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherQuality:
    """The teacher on the same held-out targets.

    Attributes:
        entropy_nats: Its own entropy there: the least cross-entropy any student can reach.
        entropy_stderr_nats: Standard error over sequences.
        metrics: The same ones as its students have.
        num_targets: Held-out targets.
        sequence_entropies_nats: Its entropy on each held-out sequence, as candidates have their losses. Empty in jobs
            that were run before it was stored.
        doubts: Why it may not be what it seems, a line each; with one, a job goes on only if it takes the teacher as it
            is.
        checks: What it was held against. Empty in jobs that were run before there were any.
    """

    entropy_nats: float
    entropy_stderr_nats: float
    metrics: Mapping[str, Metric]
    num_targets: int
    sequence_entropies_nats: tuple[float, ...] = ()
    doubts: tuple[str, ...] = ()
    checks: tuple[TeacherCheck, ...] = ()
