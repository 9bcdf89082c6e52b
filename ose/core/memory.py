"""How much memory a search takes, counted before anything is loaded.

Counted is what grows with a job: weights, gradients and moments, activations, logits at the targets, the teacher's
states on its sample, the text. Everything is taken in float32, the largest student of the space as the one that trains,
and the phase that takes the most for all of them. How counts compare with measured peaks stands in docs/SERVICE.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ose.core.architecture import Architecture, Counts
from ose.core.job import Job, TeacherFacts
from ose.core.masked_positions import MASKED_FRACTION, num_targets
from ose.core.recipe import DistillationSpec
from ose.core.spec import JobSpec

PROCESS_BYTES = 600_000_000
"""Python, torch and transformers in one process, without any model."""

_FLOAT = 4
_TRAINED = 4
"""Floats for each weight that trains: itself, its gradient and two moments."""

_MODULE_BYTES = 400_000
"""Of a layer's modules in Python, however small its weights."""

_ROWS_AT_ONCE = 16
"""Sequences that the teacher runs over together, and so does a student that is judged."""

_TEACHER_LOGITS, _JUDGED_LOGITS, _TRAINED_LOGITS = 7, 7, 3
"""Copies of the logits that are alive together: drawing from them is done in float64."""

_DISTILLED_LOGITS = 8
"""Both models' logits and log-probabilities, and the gradients of the student's."""

_WIDTHS, _INNER_WIDTHS, _MAPS = 14, 4, 3
"""Floats of a layer that the backward pass needs, and those it makes: widths H and I a token, attention maps."""

_TIMED_AT_ONCE_BYTES = 2**30

_SAMPLE_COPIES = 4
"""Of the teacher's states on its sample, while they are measured."""

_CHARACTERS_PER_TOKEN, _OVERSAMPLING, _BYTES_PER_TRAINED_TOKEN = 8, 4, 40
_BYTES_PER_ROW, _BYTES_OF_SHORTEST_ROW = 600, 2
_TOKENS_PER_BYTE = 20
"""At most, in text that may be compressed."""

_ONE_HEAD = frozenset(
    {
        "bert", "big_bird", "camembert", "data2vec-text", "deberta", "deberta-v2", "ernie", "esm", "ibert",
        "longformer", "luke", "megatron-bert", "mobilebert", "mpnet", "nezha", "rembert", "roberta",
        "roberta-prelayernorm", "squeezebert", "xlm-roberta", "xlm-roberta-xl", "xmod",
    }
)  # fmt: skip
"""Families whose vocabulary head is one module, which is run at the targets alone; others compute logits everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerMemory:
    """Bytes of one worker, by what they are for.

    Attributes:
        process: Python and its libraries.
        teacher: Its weights, which stay.
        text: The search's sequences, which stay.
        preparing: Drawing the text; gone afterwards, as are the next two.
        sampling: The teacher's states on its sample, and its logits.
        training: The largest student with its activations and logits.
    """

    process: int
    teacher: int
    text: int
    preparing: int
    sampling: int
    training: int

    @property
    def peak(self) -> int:
        """Of the phase that takes the most."""
        return self.process + self.teacher + self.text + max(self.preparing, self.sampling, self.training)


def worker_memory(spec: JobSpec, teacher: TeacherFacts, counts: Counts, corpus_bytes: int) -> WorkerMemory:
    """Count what one worker of a search takes.

    Args:
        spec: The job.
        teacher: Its teacher.
        counts: Of its students.
        corpus_bytes: Size of its files; 0 if it is not known.
    """
    tokens = _trained_tokens(spec, corpus_bytes)
    return WorkerMemory(
        process=PROCESS_BYTES,
        teacher=_FLOAT * teacher.num_parameters + _MODULE_BYTES * teacher.architecture.num_hidden_layers,
        text=10 * tokens,
        preparing=_BYTES_PER_TRAINED_TOKEN * tokens + _drawn(spec, teacher, corpus_bytes),
        sampling=_sampling(spec, teacher),
        training=_training(spec, teacher, counts),
    )


def job_memory(spec: JobSpec, teacher: TeacherFacts, counts: Counts, corpus_bytes: int) -> int:
    """Bytes that all workers of a search take together, and the processes beside them.

    While latencies are measured, in a process of their own, workers hold what stays.
    """
    each = worker_memory(spec, teacher, counts, corpus_bytes)
    others = PROCESS_BYTES if spec.workers.uses_ray else 0
    resting = each.process + each.teacher + each.text
    num_shapes = spec.space.count(teacher.architecture.num_hidden_layers)
    timed = each.process + each.teacher + min(num_shapes * each.teacher, latency_group_bytes(teacher))
    return others + max(spec.workers.count * each.peak, spec.workers.count * resting + timed)


def latency_group_bytes(teacher: TeacherFacts) -> int:
    """Weights of the shapes that are measured at once, beside the teacher's; one shape is no larger than that."""
    return max(_TIMED_AT_ONCE_BYTES, _FLOAT * teacher.num_parameters)


def distillation_memory(
    job: Job, counts: Counts, student: Architecture, recipe: DistillationSpec, num_workers: int
) -> int:
    """Bytes that a full distillation takes with so many processes, each of which holds teacher and student."""
    teacher, length, rows = job.teacher, job.spec.corpus.sequence_length, recipe.micro_batch_size
    everywhere = recipe.positions == "all" and recipe.weights.soft_targets > 0
    positions = length if everywhere else _positions(teacher, length, recipe.mask_fraction)
    logits = _FLOAT * rows * positions * _outputs(teacher)
    passed = [_activations(each, each.num_attention_heads, rows, length) for each in (teacher.architecture, student)]
    judged = _JUDGED_LOGITS * _logits(teacher, _ROWS_AT_ONCE, length)
    weights = _FLOAT * (teacher.num_parameters + _TRAINED * counts.parameters(student).total)
    return num_workers * (PROCESS_BYTES + weights + max(_DISTILLED_LOGITS * logits + sum(passed), judged))


def fitting_batch(spec: JobSpec, teacher: TeacherFacts, counts: Counts, corpus_bytes: int, most: int) -> int:
    """The largest batch with which a job takes at most so many bytes; 0 if no batch is small enough."""
    low, high = 0, max(theta.batch_size for theta in spec.search.hyperparameters)
    while low < high:
        middle = (low + high + 1) // 2
        fits = job_memory(_with_batch(spec, middle), teacher, counts, corpus_bytes) <= most
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def fitting_workers(spec: JobSpec, teacher: TeacherFacts, counts: Counts, corpus_bytes: int, most: int) -> int:
    """The largest number of workers with which a job takes at most so many bytes; 0 if one takes more."""
    low, high = 0, spec.workers.count
    while low < high:
        middle = (low + high + 1) // 2
        changed = replace(spec, workers=replace(spec.workers, count=middle))
        fits = job_memory(changed, teacher, counts, corpus_bytes) <= most
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _with_batch(spec: JobSpec, batch_size: int) -> JobSpec:
    thetas = tuple(replace(theta, batch_size=batch_size) for theta in spec.search.hyperparameters)
    return replace(spec, search=replace(spec.search, hyperparameters=thetas))


def _trained_tokens(spec: JobSpec, corpus_bytes: int) -> int:
    """Tokens of the search's sequences, as far as there is text."""
    batch_size = max(theta.batch_size for theta in spec.search.hyperparameters)
    return min(spec.search.steps * batch_size * spec.corpus.sequence_length, _readable_tokens(spec, corpus_bytes))


def _readable_tokens(spec: JobSpec, corpus_bytes: int) -> int:
    return min(spec.corpus.max_tokens, _TOKENS_PER_BYTE * corpus_bytes or spec.corpus.max_tokens)


def _drawn(spec: JobSpec, teacher: TeacherFacts, corpus_bytes: int) -> int:
    """What text is packed from; of labelled rows all that a search has, each of them a value of its own."""
    if not teacher.embedding.num_labels:
        return _sampled_text(spec, corpus_bytes)
    rows = spec.search.steps * max(theta.batch_size for theta in spec.search.hyperparameters)
    rows = min(rows, corpus_bytes // _BYTES_OF_SHORTEST_ROW or rows)
    return _BYTES_PER_ROW * rows + min(corpus_bytes or 0, _CHARACTERS_PER_TOKEN * spec.corpus.max_tokens)


def _sampled_text(spec: JobSpec, corpus_bytes: int) -> int:
    tokens = min(_OVERSAMPLING * _trained_tokens(spec, corpus_bytes), _readable_tokens(spec, corpus_bytes))
    return _CHARACTERS_PER_TOKEN * tokens


def _sampling(spec: JobSpec, teacher: TeacherFacts) -> int:
    """The teacher's passes for targets and for its calibration."""
    shape, length = teacher.architecture, spec.corpus.sequence_length
    logits = _TEACHER_LOGITS * _logits(teacher, _ROWS_AT_ONCE, length)
    states = 0
    if spec.search.initialization == "inherit" and spec.search.inheritance.needs_calibration:
        sample = min(spec.search.inheritance.tokens, spec.corpus.max_tokens)
        states = _FLOAT * _SAMPLE_COPIES * sample * (2 * shape.num_hidden_layers + 1) * shape.hidden_size
    passed = _activations(shape, shape.num_attention_heads, _ROWS_AT_ONCE, length)
    return logits + states + passed


def _training(spec: JobSpec, teacher: TeacherFacts, counts: Counts) -> int:
    length = spec.corpus.sequence_length
    batch_size = max(theta.batch_size for theta in spec.search.hyperparameters)
    largest = _largest_shape(spec, counts)
    weights = counts.parameters(largest).total
    if spec.limits.max_parameters is not None:
        weights = min(weights, spec.limits.max_parameters)
    heads = max(spec.space.num_attention_heads)
    trained = _activations(largest, heads, batch_size, length) + _TRAINED_LOGITS * _logits(teacher, batch_size, length)
    judged = _JUDGED_LOGITS * _logits(teacher, _ROWS_AT_ONCE, length)
    return _FLOAT * _TRAINED * weights + _MODULE_BYTES * largest.num_hidden_layers + max(trained, judged)


def _largest_shape(spec: JobSpec, counts: Counts) -> Architecture:
    """At least as large as any member: the largest value of each axis. Heads change no weights."""
    space = spec.space
    return Architecture(
        num_hidden_layers=max(space.num_hidden_layers),
        num_attention_heads=1,
        hidden_size=max(space.hidden_size),
        intermediate_size=max(space.intermediate_size),
        family=counts.family,
    )


def _logits(teacher: TeacherFacts, num_sequences: int, length: int) -> int:
    """Bytes of the logits of some sequences, at their targets where the head can be run there alone."""
    return _FLOAT * num_sequences * _positions(teacher, length) * _outputs(teacher)


def _outputs(teacher: TeacherFacts) -> int:
    """Logits at one position."""
    return teacher.embedding.num_labels or teacher.embedding.vocab_size


def _positions(teacher: TeacherFacts, length: int, fraction: float = MASKED_FRACTION) -> int:
    """Where the head is run; of one with labels at most everywhere, where it is small."""
    if teacher.embedding.num_labels:
        return length
    return num_targets(length, fraction) if teacher.model_type in _ONE_HEAD else length


def _activations(shape: Architecture, heads: int, num_sequences: int, length: int) -> int:
    """Bytes that a forward pass leaves for the backward one, and that this one makes."""
    token = _WIDTHS * shape.hidden_size + _INNER_WIDTHS * shape.intermediate_size
    maps = _MAPS * heads * length
    return _FLOAT * num_sequences * length * shape.num_hidden_layers * (token + maps)
