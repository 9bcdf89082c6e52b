"""What a job asks for. Every default lives in these fields and in those of the parts they name."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Literal

from ose.core.architecture import Architecture
from ose.core.bounds import (
    ATTEMPTS,
    BATCH,
    FACTOR,
    LAYER,
    NUMBER,
    SEED,
    SEQUENCE,
    SHARE,
    STEPS,
    THREADS,
    Bounds,
    require_ascending_steps,
    require_bounds,
)
from ose.core.hub_names import is_revision
from ose.core.inheritance import InheritanceSpec, Initialization
from ose.core.layer_choice import LayerChoice
from ose.core.measurement import LatencyProtocol
from ose.core.recipe import DistillationSpec, Precision
from ose.core.score import ScoreRule
from ose.core.search_space import SearchSpace
from ose.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherSpec:
    """The trained masked language model to extract from.

    Attributes:
        model: A directory with config.json, model.safetensors and a tokenizer, or a hub id.
        revision: Commit or tag of a hub id.
        as_is: It is taken as it is, whatever its answers say of it: that it was never trained, as it seems.
    """

    __pydantic_config__ = {"extra": "forbid"}

    model: str
    revision: str | None = None
    as_is: bool = False

    def __post_init__(self) -> None:
        if self.revision is not None and not is_revision(self.revision):
            raise InvalidInputError(f"revision must be a commit, tag or branch, not {self.revision[:60]!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns of a corpus are called, or the fields of its JSON. Of a text file, each line is the text.

    Attributes:
        text: The text.
        text_pair: A second text, which is read together with the first.
        label: What is right of the text, or of the two: a name, a number, or a list for several labels at once.
        query_id: Which query a text or pair belongs to: those of one query are ranked among one another.
    """

    __pydantic_config__ = {"extra": "forbid"}

    text: str = "text"
    text_pair: str | None = None
    label: str | None = None
    query_id: str | None = None

    def __post_init__(self) -> None:
        columns = self.named()
        for name, column in columns.items():
            if not column.strip():
                raise InvalidInputError(f"{name} is empty")
            if first := next((each for each in columns if each != name and columns[each] == column), None):
                raise InvalidInputError(f"{name} and {first} are one column, {column[:60]!r}")

    def named(self) -> dict[str, str]:
        """The columns that are read, by what they hold."""
        columns = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: column for name, column in columns.items() if column is not None}


Quotes = Literal["auto", "csv", "literal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSpec:
    """The text.

    Attributes:
        train: Files, globs, or one `datasets` id. Text (a document a line), CSV, TSV, JSON or parquet, also packed.
        validation: Held-out text in the same forms; empty holds out a part of `train`.
        general: Text without labels in the same forms, of which the text's column is read: a student of a classifier
            is distilled on it first.
        columns: What the columns are called that the task reads.
        skip_bad_rows: The share of the rows that may be left out because they cannot be used; they are counted.
        quotes: Of CSV and TSV. `csv`: a cell in quotes may hold anything, a quote in it is doubled. `literal`: a quote
            is a character like any other. `auto` takes `csv` for CSV; a TSV file is read in the way that gives all its
            rows the cells that its header has, and refused where both do and differ.
        sequence_length: Tokens a sequence in training, with the two special ones.
        max_tokens: Text beyond this many tokens is not read, so that a huge corpus stays usable.
        as_is: It is taken as it is, whatever it looks like, however it is spelled, and whatever of it is held out.
    """

    __pydantic_config__ = {"extra": "forbid"}

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    general: tuple[str, ...] = ()
    sequence_length: Annotated[int, Bounds(8, SEQUENCE.most)] = 128
    columns: Columns = field(default_factory=Columns)
    skip_bad_rows: Annotated[float, Bounds(0, 0.5)] = 0.0
    quotes: Quotes = "auto"
    max_tokens: Annotated[int, Bounds(1, 10**12)] = 50_000_000
    as_is: bool = False

    def __post_init__(self) -> None:
        if not self.train:
            raise InvalidInputError("corpus.train names no file")
        require_bounds(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """One element of the paper's Theta: how a candidate is trained.

    Attributes:
        learning_rate: Peak of AdamW's rate; None leaves it to the task, which settles it when a job is submitted.
        batch_size: Sequences a step.
        warmup_fraction: Share of the steps of linear warm-up; linear decay to zero follows.
        weight_decay: Of matrices; biases and LayerNorm are never decayed.
    """

    __pydantic_config__ = {"extra": "forbid"}

    learning_rate: Annotated[float | None, Bounds(1e-12, 100)] = None
    batch_size: Annotated[int, BATCH] = 32
    warmup_fraction: Annotated[float, SHARE] = 0.1
    weight_decay: Annotated[float, Bounds(0, 1_000)] = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_fraction < 1:
            raise InvalidInputError(f"warmup_fraction must be in [0, 1), not {self.warmup_fraction}")
        require_bounds(self)

    @property
    def peak_learning_rate(self) -> float:
        """The peak, also where nothing is said of it: DistilBERT's."""
        return self.learning_rate or 5e-4


_MOST_SETS = 1_000
"""Of hyperparameters: each trains every member once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """How the space is searched.

    Attributes:
        strategy: `ose` visits every epsilon-th member of the order with every element of Theta. `halving` trains the
            same candidates a few steps, and goes on with the upper part. `random` draws candidates; `optuna` asks a
            sampler for those that earlier ones speak for. docs/TRUST.md says which to use when.
        epsilon: The stride of `ose` and `halving`; 1 is exhaustive.
        num_candidates: Of `random` and `optuna`, which need it: candidates in all.
        sampler: Of `optuna`: `tpe` and `gp` look for the best score, `nsgaii` for the front of latency and loss.
        wave: Of `optuna`: candidates proposed at once, before the outcome of any is known; None takes two for each
            worker, since the next one waits there already when one ends.
        steps: Training steps s of one candidate; for `halving` the most. The paper ran 3, which is mostly noise.
        min_steps: Of `halving`: every candidate is trained at least so many. Each round has a warm-up and a decay of
            its own, which take some steps.
        eta: Of `halving`: one candidate in eta goes on, to eta times the steps, so that each round costs about the
            same. Hyperband's.
        hyperparameters: Theta.
        initialization: `inherit` starts students from the teacher's weights, `random` as the paper does.
        inheritance: From which of them.
        precision: Of the arithmetic of training, and of the teacher whose targets are trained on; `auto` takes
            bfloat16 where the processor multiplies it natively. Candidates are judged in it too; what is fully
            distilled is judged in float32, as the teacher is.
        seed: Decides masks, batch order and random weights.
        weight_clip: Bound on every weight's magnitude after each step; the theory's compactness
            assumption wants one, practice does not.
        held_out_sequences: Sequences, or items, that every candidate is judged on; None leaves it to the task, which
            settles it when a job is submitted.
        max_attempts: Trials of one candidate whose failures may be passing (memory, lost worker).
        keep_checkpoints: The best so many candidates whose weights are kept for `ose job extend`, which goes on with
            two at least. What is not kept is trained again, and each takes 12 bytes a parameter.
    """

    __pydantic_config__ = {"extra": "forbid"}

    strategy: Literal["ose", "halving", "random", "optuna"] = "ose"
    epsilon: Annotated[int, Bounds(1, 10**9)] = 1
    num_candidates: Annotated[int | None, Bounds(1, 10**9)] = None
    sampler: Literal["tpe", "gp", "nsgaii"] = "tpe"
    wave: Annotated[int | None, Bounds(1, 1_000_000)] = None
    steps: Annotated[int, STEPS] = 100
    min_steps: Annotated[int, STEPS] = 10
    eta: Annotated[int, Bounds(2, 1_000_000)] = 3
    hyperparameters: tuple[Hyperparameters, ...] = (Hyperparameters(),)
    initialization: Initialization = "inherit"
    inheritance: InheritanceSpec = field(default_factory=InheritanceSpec)
    precision: Precision = "auto"
    seed: Annotated[int, SEED] = 0
    weight_clip: Annotated[float | None, FACTOR] = None
    held_out_sequences: Annotated[int | None, Bounds(1, 100_000)] = None
    max_attempts: Annotated[int, ATTEMPTS] = 2
    keep_checkpoints: Annotated[int, Bounds(0, 100_000)] = 2

    def __post_init__(self) -> None:
        require_bounds(self)
        self._require_a_number_of_candidates()
        if not self.hyperparameters:
            raise InvalidInputError("search.hyperparameters is empty; give at least one set")
        if len(self.hyperparameters) > _MOST_SETS:
            raise InvalidInputError(
                f"search.hyperparameters has {len(self.hyperparameters):,} sets; give at most {_MOST_SETS:,}"
            )

    @property
    def num_held_out(self) -> int:
        """Sequences that candidates are judged on, where nothing is said of them too."""
        return self.held_out_sequences or 128

    def _require_a_number_of_candidates(self) -> None:
        draws = self.strategy in ("random", "optuna")
        if draws and self.num_candidates is None:
            raise InvalidInputError(f"search.num_candidates is missing: how many the strategy {self.strategy} proposes")
        if draws and self.epsilon != 1:
            raise InvalidInputError(f"search.epsilon is not for the strategy {self.strategy}; it takes num_candidates")
        if not draws and self.num_candidates is not None:
            raise InvalidInputError(f"search.num_candidates is not for the strategy {self.strategy}; it takes epsilon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on candidates. Parameters and latency are checked before training, loss after it.

    Attributes:
        max_parameters: Of the whole masked language model.
        max_latency_ms: Of the encoder's forward pass, the median.
        max_loss_nats: Cross-entropy to the teacher.
    """

    __pydantic_config__ = {"extra": "forbid"}

    max_parameters: Annotated[int | None, Bounds(1, 10**15)] = None
    max_latency_ms: Annotated[float | None, FACTOR] = None
    max_loss_nats: Annotated[float | None, FACTOR] = None

    def __post_init__(self) -> None:
        require_bounds(self)


_LEAST_OF_A_GPU = 0.01
"""Nothing that trains fits into less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSpec:
    """Who trains the candidates.

    Attributes:
        count: Workers at once.
        cpus: Cores, and threads, of each.
        gpus: Share of a GPU for each; 0.25 puts four workers on one card. Beyond one, they are whole.
        backend: `ray` runs workers as Ray Tune trials, `inline` trains in the coordinator's own process.
            `auto` takes Ray for more than one worker.
    """

    __pydantic_config__ = {"extra": "forbid"}

    count: Annotated[int, Bounds(1, 100_000)] = 1
    cpus: Annotated[int, THREADS] = 1
    gpus: Annotated[float, Bounds(0, 64)] = 0.0
    backend: Literal["auto", "ray", "inline"] = "auto"

    def __post_init__(self) -> None:
        require_bounds(self)
        if 0 < self.gpus < _LEAST_OF_A_GPU or (self.gpus > 1 and not float(self.gpus).is_integer()):
            raise InvalidInputError(
                f"gpus must be 0, a share of one from {_LEAST_OF_A_GPU} up, or a whole number, not {self.gpus}"
            )

    @property
    def uses_ray(self) -> bool:
        """Whether the workers are Ray's."""
        return self.backend == "ray" or (self.backend == "auto" and self.count > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedCandidate:
    """A candidate of an earlier job that is to be trained further.

    Attributes:
        candidate: Its number there.
        architecture: Its four numbers.
        hyperparameters: It was trained with, and goes on with.
        layers: The teacher's layers it was to keep; None left that to the job.
        phases: Steps at the end of each phase that it was trained there.
    """

    __pydantic_config__ = {"extra": "forbid"}

    candidate: Annotated[int, NUMBER]
    architecture: Architecture
    hyperparameters: Hyperparameters
    layers: Annotated[LayerChoice | None, LAYER]
    phases: Annotated[tuple[int, ...], STEPS]

    def __post_init__(self) -> None:
        require_bounds(self)
        require_ascending_steps("phases", self.phases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """An earlier job whose leaders are trained to the `steps` of this one, in place of a search.

    Attributes:
        job: Its id.
        candidates: The leaders.
        data_steps: Steps that it had search data for; where it extends another job itself, those of the other first.
            Steps beyond see text drawn anew, so that what was trained before means the same.
    """

    __pydantic_config__ = {"extra": "forbid"}

    job: str
    candidates: tuple[ExtendedCandidate, ...]
    data_steps: Annotated[tuple[int, ...], STEPS]

    def __post_init__(self) -> None:
        if not self.candidates:
            raise InvalidInputError("candidates is empty; an extension goes on with at least one")
        require_bounds(self)
        require_ascending_steps("data_steps", self.data_steps)

    @property
    def num_steps(self) -> int:
        """Steps that have been done, or have data."""
        return max(self.data_steps[-1], *(each.phases[-1] for each in self.candidates))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A search job, as its job file says it.

    Attributes:
        name: What people call it.
        teacher: The model to extract from.
        corpus: The text.
        space: The name of a shipped space, or the axes themselves; in a job file also a path.
        search: How the space is searched.
        latency: How inference latency is measured.
        score: What ranks the candidates.
        limits: What excludes a candidate.
        workers: Who trains the candidates.
        distillation: How the chosen student is distilled.
        task: What the teacher does, and its students with it; None follows from the teacher's class.
        extends: The earlier job whose leaders it goes on with; `ose job extend` writes it.
        references: Whether the task's reference rows are made, beside the candidates and after them.
        spelled_out: The fields of `distillation` that a job file names; the task gives the others when the job is
            submitted, and None is left.
    """

    __pydantic_config__ = {"extra": "forbid"}

    name: str
    teacher: TeacherSpec
    corpus: CorpusSpec
    space: SearchSpace
    search: SearchSpec = field(default_factory=SearchSpec)
    latency: LatencyProtocol = field(default_factory=LatencyProtocol)
    score: ScoreRule = field(default_factory=ScoreRule)
    limits: Limits = field(default_factory=Limits)
    workers: WorkersSpec = field(default_factory=WorkersSpec)
    distillation: DistillationSpec = field(default_factory=DistillationSpec)
    extends: Extension | None = None
    task: str | None = None
    references: Literal["on", "off"] = "on"
    spelled_out: tuple[str, ...] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidInputError("name is empty")
        if self.extends is not None and self.search.steps <= self.extends.num_steps:
            raise InvalidInputError(
                f"search.steps must be more than the {self.extends.num_steps} steps of job {self.extends.job}, "
                f"not {self.search.steps}"
            )

    @property
    def data_steps(self) -> tuple[int, ...]:
        """Steps at the end of each part of the search data."""
        return (*(self.extends.data_steps if self.extends else ()), self.search.steps)
