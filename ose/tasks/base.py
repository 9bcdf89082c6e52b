"""What a task is: what a teacher is asked, what a student learns of it, and how that is judged.

A task is a folder with two halves. `rules.py` holds its `TaskRules` of `ose.tasks.rules`, all that submitting a job
asks, and loads no torch. `task.py` holds the `Task` itself, by which workers prepare data, train, judge and distil.
`ose.tasks.registry` finds both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ose.core.job import Job
from ose.core.measurement import LabelFlips, Metric, TeacherQuality, mean_and_stderr
from ose.core.messages import CalibrationRequest, DataRequest, DataSpan, DataSummary, TargetsRequest
from ose.core.model_report import EvaluationQuestion, EvaluationReport
from ose.core.recipe import DistillationSpec, Precision
from ose.errors import NonFiniteLossError
from ose.tasks.rules import TaskRules

Data = Any
"""A `SearchData` of the task's own class."""

Batch = Any
"""A micro-batch of full distillation; only the task that made it looks inside."""

StepBatches = Callable[[int], Sequence[tuple[Batch, float]]]
"""A step, 0 for the first, to its micro-batches, each with its share of the step's targets; the shares sum to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutQuality:
    """A model on the held-out items of a search.

    Attributes:
        loss_nats: Mean distance from the teacher's answers.
        loss_stderr_nats: Its standard error over items.
        metrics: What else the task says of it, by name.
        sequence_losses_nats: The loss of each item, in order.
        flips: Of a task whose answers are labels, what becomes of each that the teacher gives.
    """

    loss_nats: float
    loss_stderr_nats: float
    metrics: Mapping[str, Metric]
    sequence_losses_nats: tuple[float, ...]
    flips: tuple[LabelFlips, ...] = ()

    @classmethod
    def of(cls, losses: Sequence[float], metrics: Mapping[str, Metric], flips: tuple[LabelFlips, ...] = ()) -> Self:
        """From the loss of each item.

        Raises:
            NonFiniteLossError: The model has diverged.
        """
        loss, stderr = mean_and_stderr(losses)
        if not math.isfinite(loss):
            raise NonFiniteLossError(f"the held-out loss is {loss}")
        return cls(
            loss_nats=loss,
            loss_stderr_nats=stderr,
            metrics=metrics,
            sequence_losses_nats=tuple(losses),
            flips=flips,
        )


class Examples(Protocol):
    """Encoded items, shorter ones padded to the longest."""

    @property
    def input_ids(self) -> torch.Tensor:
        """(N, T), token ids."""

    @property
    def positions(self) -> torch.Tensor:
        """(N, K), the places whose states the head reads."""

    def inputs(self, rows: torch.Tensor | slice = slice(None)) -> Mapping[str, torch.Tensor]:
        """What a model is called with for these items; no `attention_mask` says that all tokens are real."""


class Sample(Examples, Protocol):
    """A few items of the training text, to look at a teacher with."""

    def loss(self, outputs: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The loss whose gradients tell which of the teacher's parts matter, against what is true.

        Args:
            outputs: (B, K, ...), the head's, of the items in `rows`.
            rows: (B,).
        """


class SearchData(Protocol):
    """What the candidates of a search are trained and judged on: `Task.load_data` opens it."""

    @property
    def held_out(self) -> Examples:
        """The items that are judged on, M of them."""

    def batch_rows(self, num_steps: int, batch_size: int) -> torch.Tensor:
        """(num_steps, batch_size): the training items of each step, which do not depend on how many steps follow."""


class Encoded(Protocol):
    """What a model makes of a micro-batch. A task's own class has the outputs of its head beside it."""

    @property
    def states(self) -> torch.Tensor:
        """(..., H), the last layer's states at the tokens that count; padding is none."""

    @property
    def layer_states(self) -> Sequence[torch.Tensor]:
        """The same after the embeddings and each layer; empty unless asked for."""

    @property
    def attention_mask(self) -> torch.Tensor | None:
        """(B, T), 0 at padding; None if there is none."""


class AnsweredTexts(SearchData, Protocol):
    """Search data of texts with a few answers each, which a linear model can learn."""

    @property
    def train(self) -> Examples:
        """The training items, N of them, with an `attention_mask` in their `inputs`."""

    @property
    def answers(self) -> torch.Tensor:
        """What is learnt of them: (N, questions, choices) log-probabilities, or (N, 1) numbers."""


class References(Protocol):
    """What the reference rows of a search need of a task."""

    def labelled(self, data: Data) -> Data:
        """The same data with labels in the place of the teacher's answers to training items.

        Raises:
            CorpusError: They have no labels.
        """

    def quality_of(self, answers: torch.Tensor, data: Data) -> HeldOutQuality:
        """Answers to the held-out items, shaped as the training items' `answers`, judged as a student's are.

        Raises:
            NonFiniteLossError: One is not finite.
        """

    def batch(self, input_ids: torch.Tensor) -> Batch:
        """Token ids without padding, (N, T), as `Task.encode` takes them."""


class Task(Protocol):
    """A kind of question that teachers answer and students learn to answer alike.

    The teacher's answers are the targets, stored once for a search; labels, where a corpus has them, are for metrics.
    All candidates see the same items in the same order. Whatever is random follows from the seeds in the requests.
    """

    rules: TaskRules
    model_class: Any
    """The `AutoModelFor...` of transformers, which have no type that they share."""
    references: References | None
    """For its reference rows; None if its rules name none."""

    def load_teacher(self, path: str | Path, digest: str | None = None) -> PreTrainedModel:
        """Load a model of this task in float32, frozen and in evaluation mode.

        Raises:
            TeacherError: There is none, or another one than the digest says.
        """

    def load_tokenizer(self, path: str | Path, digest: str | None = None) -> PreTrainedTokenizerBase:
        """Load the tokenizer beside such a model.

        Raises:
            TeacherError: There is none, it lacks a token that the task needs, or it is another one.
        """

    def prepare(self, request: DataRequest) -> DataSummary:
        """Make the items of a search from its corpus, unless the folder has them already.

        Raises:
            CorpusError: The corpus has too few.
            TeacherError: The tokenizer cannot be loaded.
            StorageError: The folder cannot be written.
        """

    def compute_targets(self, request: TargetsRequest, teacher: PreTrainedModel) -> TeacherQuality | None:
        """Store what students need of the teacher's answers to one shard, unless it is stored already.

        Returns:
            The teacher's own quality for the held-out items, with what it was held against (`ose.tasks.judgement`);
            None for a shard of the training items.

        Raises:
            TeacherError: Its answers are NaN or infinite.
        """

    def load_data(self, folder: Path, later: Sequence[DataSpan] = ()) -> SearchData:
        """Open a complete folder, and those for later steps; large arrays stay on disk until they are touched."""

    def on_device(self, data: Data, device: torch.device) -> SearchData:
        """The data where students train: in a GPU's memory, or for a CPU as they are."""

    def loss(self, student: PreTrainedModel, data: Data, rows: torch.Tensor, precision: Precision) -> torch.Tensor:
        """The loss of one training step, mean over targets, in nats where it is an entropy.

        It does the same work each time and never waits for the device, so that a GPU can record and replay it.

        Args:
            student: In training.
            data: On the student's device, if that is a GPU.
            rows: (B,), the step's items, likewise.
            precision: Of the arithmetic.
        """

    def judge(self, student: PreTrainedModel, data: Data, num_items: int | None, precision: Precision) -> torch.Tensor:
        """Run a student over the held-out items, without waiting for the device; `quality_of` reads the result.

        Args:
            student: As it stands.
            data: With the teacher's whole answers: what is measured here is exact.
            num_items: Only the first ones; None takes all.
            precision: Of the arithmetic.
        """

    def quality_of(self, judged: torch.Tensor, data: Data) -> HeldOutQuality:
        """What `judge` has found on these data, as figures with their standard errors.

        Raises:
            NonFiniteLossError: The student has diverged.
        """

    def held_out_losses(
        self, data: Data, rows: torch.Tensor, device: torch.device
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """A function from a head's outputs (B, K, ...) for held-out items `rows` to the loss of each of them, (B,).

        For who calls layers one by one and runs the head itself. The teacher's answers are looked up once.
        """

    def sample(self, request: CalibrationRequest, teacher: PreTrainedModel) -> Sample:
        """Items of the training text, by which extraction measures a teacher; it may be asked about them.

        Raises:
            CorpusError: There is too little text.
            TeacherError: The tokenizer cannot be loaded.
        """

    def outputs(self, model: PreTrainedModel, examples: Examples) -> torch.Tensor:
        """(N, K, ...): what the head says, without gradients, in the form that `distance` compares."""

    def distance(self, teacher_outputs: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        """How far a model's outputs are from its teacher's, mean over targets: the loss of the task."""

    def step_batches(
        self, job: Job, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> StepBatches:
        """The micro-batches of a full distillation, a function of seed and step.

        Args:
            job: Whose corpus is trained on.
            spec: The recipe.
            tokenizer: The teacher's.
            folder: Where encoded corpora are kept; equal ones are found there.

        Raises:
            CorpusError: The corpus gives no item.
            StorageError: The folder cannot be written.
        """

    def general_batches(
        self, job: Job, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> StepBatches:
        """The same of the job's text without labels, on which states and relations are learnt before the task.

        Asked only of a task whose corpora may have such text, since it reads rows.
        """

    def encode(self, model: PreTrainedModel, batch: Batch, *, all_layers: bool) -> Encoded:
        """Run teacher or student over a micro-batch of full distillation."""

    def output_losses(
        self, student: Any, teacher: Callable[[], Any], batch: Batch, spec: DistillationSpec
    ) -> Mapping[str, torch.Tensor]:
        """The losses of a recipe that look at outputs, by their names in `LossWeights`; none that weighs nothing.

        Args:
            student: What `encode` made of it.
            teacher: The same of the teacher: runs it once, without gradients; not called if no loss looks at it.
            batch: What both saw.
            spec: With the weights.
        """

    def evaluate(self, question: EvaluationQuestion) -> EvaluationReport:
        """Judge model directories by what is true, by the official rules, and by a teacher where one is named.

        Raises:
            CorpusError: There is too little, or a row cannot be used.
            TeacherError: A directory holds no model of this task, or one that cannot be compared with the first.
            InvalidInputError: There is nothing to judge by.
        """

    def probes(self, tokenizer: PreTrainedTokenizerBase) -> Sequence[Mapping[str, torch.Tensor]]:
        """What a model is called with for texts as its users have them, and for the edges of what it takes.

        An export is held against its student on them; both are encoded by their own tokenizer.
        """

    def card(self, manifest: Mapping[str, Any]) -> str:
        """The model card of an exported student: what it is, how good, how fast, and how to use it."""

    def predict(self, folder: Path, text: str, count: int) -> list[tuple[str, float]]:
        """A model directory's likeliest answers to a text, with their probabilities, likeliest first."""
