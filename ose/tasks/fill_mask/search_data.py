"""The batches of a search: drawn once from the corpus, the same for every candidate.

A folder, named after everything that decides its content, holds

    batches.safetensors        corrupted sequences, positions and true tokens, training and held-out
    targets-00000.npy, ...     token ids drawn from the teacher's distribution at the training targets
    held-out.npy               the teacher's full log-probabilities at the held-out targets
    teacher.json               the teacher's own quality there

Training targets are 48 draws each (96 bytes for a vocabulary of up to 65,536): an unbiased stand-in for
the distribution at 1/600 of its size. In bfloat16 that distribution is 0.0001 nats from the one in float32
(results/log.md). Held-out targets are kept whole, so the measured loss is exact. All
arrays are read through memory maps: workers on one machine share one copy.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import PreTrainedModel

from ose.artifacts.files import remove_leftovers
from ose.artifacts.intact import intact_file, is_intact, require_intact, write_intact_json
from ose.core.measurement import TeacherCheck, TeacherQuality, mean_and_stderr, metric_of
from ose.core.messages import DataRequest, DataSpan, DataSummary, TargetsRequest
from ose.core.recipe import Precision
from ose.data.corpus import pack_corpus
from ose.data.document_sides import side_documents
from ose.data.packing import PackedCount
from ose.data.search_spans import ONE_SPAN, Span, batch_rows
from ose.data.text_position import Side
from ose.errors import CorpusError, StorageError
from ose.tasks.fill_mask.draws import systematic_draws
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule, draw_masks
from ose.tasks.fill_mask.metrics import METRICS, Outputs
from ose.tasks.fill_mask.teacher import load_tokenizer
from ose.tasks.fill_mask.unigram import unigram_check
from ose.tasks.judgement import doubts_of, repeated_checks
from ose.tasks.spelled import require_spelled
from ose.tasks.stored_quality import read_quality
from ose.training.precision import autocast

NUM_DRAWS = 48
_ROWS_AT_ONCE = 16
_MIN_HELD_OUT = 8
_BATCHES = "batches.safetensors"
_FIELDS = ("input_ids", "positions", "labels")
_DROPPED = "num_dropped"


@dataclass(frozen=True, slots=True)
class FillMaskData:
    """Everything a candidate is trained and judged on.

    Attributes:
        train: N masked sequences.
        draws: (N, K, S) ids drawn from the teacher's distributions, memory-mapped shard by shard.
        held_out: M masked sequences.
        held_out_log_probs: (M, K, V) float16, the teacher's, memory-mapped.
        spans: Which of the N sequences which steps are trained on.
    """

    train: MaskedBatch
    draws: list[np.ndarray]
    held_out: MaskedBatch
    held_out_log_probs: np.ndarray
    spans: tuple[Span, ...] = ONE_SPAN

    def batch_rows(self, num_steps: int, batch_size: int) -> torch.Tensor:
        """(num_steps, batch_size): the training sequences of each step."""
        return batch_rows(self.spans, len(self.train.input_ids), num_steps, batch_size)

    def draws_of(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, K, S) int64 draws of the given training sequences."""
        begins = [0, *accumulate(map(len, self.draws))]
        shards = [bisect_right(begins, row) - 1 for row in rows.tolist()]
        picked = [self.draws[shard][row - begins[shard]] for shard, row in zip(shards, rows.tolist(), strict=True)]
        return torch.from_numpy(np.stack(picked).astype(np.int64))

    def log_probs_of(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, K, V) float32 log-probabilities of the teacher at the given held-out sequences."""
        stored = torch.from_numpy(self.held_out_log_probs[rows.numpy()])
        return stored.float().log_softmax(dim=-1)  # half precision left them a little off one


def prepare_data(request: DataRequest) -> DataSummary:
    """Pack the corpus and draw the masks, unless the folder has them already.

    Raises:
        CorpusError: Too little text.
        TeacherError: The tokenizer cannot be loaded.
        StorageError: The folder cannot be written.
    """
    file = Path(request.folder) / _BATCHES
    remove_leftovers(file.parent)
    if not is_intact(file):
        tokenizer = load_tokenizer(request.teacher.path, request.teacher.digest)
        require_spelled(request, side_documents(request.corpus, request.corpus_spec, "train"), tokenizer)
        rule = MaskingRule.for_tokenizer(tokenizer)
        batches: list[MaskedBatch] = []
        dropped = 0
        wanted: dict[Side, int] = {"train": request.num_sequences, "validation": request.held_out_sequences}
        for index, (side, count) in enumerate(wanted.items()):
            if not count:
                continue
            told = PackedCount()
            packed = pack_corpus(
                request.corpus, request.corpus_spec, tokenizer, side, num_sequences=count, seed=request.seed, count=told
            )
            dropped += told.num_dropped
            generator = torch.Generator().manual_seed(2 * request.seed + index)
            batches.append(draw_masks(torch.from_numpy(packed.astype(np.int64)), rule, generator))
        for held_out in batches[1:]:
            _check_held_out(len(held_out.input_ids))
        save_batches(file.parent, *batches, num_dropped=dropped)
    with safe_open(file, "pt") as stored:
        num_dropped = int((stored.metadata() or {}).get(_DROPPED, 0))
        counts = {key.split(".")[0]: stored.get_slice(key).get_shape()[0] for key in stored.keys()}  # noqa: SIM118
    return DataSummary(
        num_sequences=counts["train"], held_out_sequences=counts.get("validation", 0), num_dropped=num_dropped
    )


def _check_held_out(filled: int) -> None:
    if filled < _MIN_HELD_OUT:
        raise CorpusError(f"the held-out text fills only {filled} sequences; at least {_MIN_HELD_OUT} are needed")


def save_batches(
    folder: Path, train: MaskedBatch, held_out: MaskedBatch | None = None, *, num_dropped: int = 0
) -> None:
    """Write the masked sequences of a search, the first of its files; without held-out ones those of later steps.

    Raises:
        StorageError: The folder cannot be written.
    """
    sides = {"train": train} if held_out is None else {"train": train, "validation": held_out}
    tensors = {f"{side}.{name}": getattr(batch, name).int() for side, batch in sides.items() for name in _FIELDS}
    with intact_file(folder / _BATCHES) as temporary:
        save_file(tensors, temporary, {_DROPPED: str(num_dropped)})


def compute_targets(request: TargetsRequest, teacher: PreTrainedModel) -> TeacherQuality | None:
    """Run the teacher over one shard and store what students need of it, unless it is stored already.

    Returns:
        The teacher's own quality for the held-out shard, None for a training shard.

    Raises:
        StorageError: The folder cannot be written.
    """
    folder = Path(request.folder)
    if request.shard is None:
        return _held_out_targets(folder, teacher, request.precision)
    file = folder / f"targets-{request.shard:05d}.npy"
    if not is_intact(file):
        train = _load_batch(folder, "train")
        generator = torch.Generator(teacher.device).manual_seed(request.seed * 1_000_003 + request.shard)
        draws = [
            _draw(_teacher_log_probs(teacher, train, rows, request.precision), generator)
            for rows in torch.arange(request.first, request.last).split(_ROWS_AT_ONCE)
        ]
        _save_array(file, np.concatenate(draws))
    return None


def load_search_data(folder: Path, later: Sequence[DataSpan] = ()) -> FillMaskData:
    """Open a complete folder, and those for later steps. Large arrays stay on disk until they are touched."""
    folders = [folder, *(Path(span.folder) for span in later)]
    trains = [_load_batch(each, "train") for each in folders]
    shards = [shard for each in folders for shard in sorted(each.glob("targets-*.npy"))]
    first_rows = accumulate(len(each.input_ids) for each in trains)
    return FillMaskData(
        train=MaskedBatch(*(torch.cat([getattr(each, name) for each in trains]) for name in _FIELDS)),
        draws=_draws(shards, sum(len(each.input_ids) for each in trains)),
        held_out=_load_batch(folder, "validation"),
        held_out_log_probs=np.load(require_intact(folder / "held-out.npy"), mmap_mode="r"),
        spans=(*ONE_SPAN, *(Span(span.first_step, row) for span, row in zip(later, first_rows, strict=False))),
    )


def _draws(shards: Sequence[Path], num_sequences: int) -> list[np.ndarray]:
    draws = [np.load(require_intact(shard), mmap_mode="r") for shard in shards]
    if sum(map(len, draws)) != num_sequences:
        raise StorageError(f"{shards[0].parent} lacks targets; the job makes them again when it is resumed")
    return draws


def _load_batch(folder: Path, side: Side) -> MaskedBatch:
    with safe_open(require_intact(folder / _BATCHES), "pt") as stored:
        return MaskedBatch(*(stored.get_tensor(f"{side}.{name}").long() for name in _FIELDS))


def _teacher_log_probs(
    teacher: PreTrainedModel, batch: MaskedBatch, rows: torch.Tensor, precision: Precision = "float32"
) -> torch.Tensor:
    input_ids, positions = batch.input_ids[rows].to(teacher.device), batch.positions[rows].to(teacher.device)
    with torch.inference_mode(), autocast(teacher.device, precision):
        return logits_at(teacher, input_ids, positions).float().log_softmax(dim=-1)


def _draw(log_probs: torch.Tensor, generator: torch.Generator) -> np.ndarray:
    dtype = np.uint16 if log_probs.shape[-1] <= 2**16 else np.uint32
    return systematic_draws(log_probs, NUM_DRAWS, generator).cpu().numpy().astype(dtype)


def _held_out_targets(folder: Path, teacher: PreTrainedModel, precision: Precision) -> TeacherQuality:
    batch = _load_batch(folder, "validation")
    array, summary = folder / "held-out.npy", folder / "teacher.json"
    stored, has_array = _stored_quality(summary), is_intact(array)
    if stored is not None and has_array:
        return stored
    repeated = repeated_checks(
        teacher, lambda rows: _teacher_log_probs(teacher, batch, rows), len(batch.labels), precision
    )
    with nullcontext(_forget) if has_array else _growing_array(array, len(batch.labels)) as store:
        quality = _judge(teacher, batch, store)
    checks = (_held_against_unigram(folder, batch, quality, teacher.config.vocab_size), *repeated)
    quality = replace(quality, checks=checks, doubts=doubts_of(checks))
    if stored is None:
        write_intact_json(summary, asdict(quality))
    return stored or quality


def _held_against_unigram(folder: Path, batch: MaskedBatch, quality: TeacherQuality, vocab_size: int) -> TeacherCheck:
    return unigram_check(quality.metrics["masked_lm_loss_nats"].value, _load_batch(folder, "train"), batch, vocab_size)


def _forget(_: np.ndarray) -> None:
    """What is stored already."""


def _stored_quality(summary: Path) -> TeacherQuality | None:
    """What the folder says of the teacher; None if that is nothing, or an OSE wrote it that measured other things."""
    quality = read_quality(summary)
    return quality if quality is not None and quality.metrics.keys() == METRICS.keys() else None


def _judge(teacher: PreTrainedModel, batch: MaskedBatch, store: Callable[[np.ndarray], None]) -> TeacherQuality:
    """The teacher's own quality; `store` gets its log-probabilities (M, K, V) at the targets, in half precision."""
    entropies: list[float] = []
    figures: dict[str, list[float]] = {name: [] for name in METRICS}
    for rows in torch.arange(len(batch.input_ids)).split(_ROWS_AT_ONCE):
        log_probs = _teacher_log_probs(teacher, batch, rows)
        labels = batch.labels[rows].to(log_probs.device)
        store(log_probs.half().cpu().numpy())
        outputs = Outputs(logits=log_probs, log_probs=log_probs, labels=labels)
        entropies += (-(log_probs.exp() * log_probs).sum(-1)).double().mean(dim=1).tolist()
        for name, metric in METRICS.items():
            figures[name] += metric(outputs).tolist()
    entropy, entropy_stderr = mean_and_stderr(entropies)
    return TeacherQuality(
        entropy_nats=entropy,
        entropy_stderr_nats=entropy_stderr,
        metrics={name: metric_of(each) for name, each in figures.items()},
        num_targets=batch.labels.numel(),
        sequence_entropies_nats=tuple(entropies),
    )


def _save_array(file: Path, array: np.ndarray) -> None:
    with intact_file(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


@contextmanager
def _growing_array(file: Path, length: int) -> Iterator[Callable[[np.ndarray], None]]:
    """Takes an array of so many rows part by part, since it may be larger than memory; a file that is there stays."""
    if file.exists():
        yield lambda _: None
        return
    with intact_file(file) as temporary, temporary.open("wb") as stream:

        def append(rows: np.ndarray) -> None:
            if not stream.tell():
                header = {"descr": rows.dtype.str, "fortran_order": False, "shape": (length, *rows.shape[1:])}
                np.lib.format.write_array_header_1_0(stream, header)
            stream.write(rows.data)

        yield append
