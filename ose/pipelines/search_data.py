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

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from ose.artifacts.files import atomic_file, remove_leftovers, write_json
from ose.core.measurement import TeacherQuality
from ose.core.recipe import Precision
from ose.core.task import DataSummary, DataTask, TargetsTask
from ose.data.corpus import pack_corpus
from ose.data.draws import systematic_draws
from ose.data.masking import MaskedBatch, MaskingRule, draw_masks
from ose.errors import CorpusError
from ose.measure.quality import mean_and_stderr
from ose.models.forward import logits_at
from ose.models.teacher import load_tokenizer
from ose.training.precision import autocast

NUM_DRAWS = 48
_ROWS_AT_ONCE = 16
_MIN_HELD_OUT = 8
_BATCHES = "batches.safetensors"
_FIELDS = ("input_ids", "positions", "labels")


@dataclass(frozen=True, slots=True)
class SearchData:
    """Everything a candidate is trained and judged on.

    Attributes:
        train: N masked sequences.
        draws: (N, K, S) ids drawn from the teacher's distributions, memory-mapped shard by shard.
        held_out: M masked sequences.
        held_out_log_probs: (M, K, V) float16, the teacher's, memory-mapped.
    """

    train: MaskedBatch
    draws: list[np.ndarray]
    held_out: MaskedBatch
    held_out_log_probs: np.ndarray

    def draws_of(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, K, S) int64 draws of the given training sequences."""
        shard_size = len(self.draws[0])
        picked = [self.draws[row // shard_size][row % shard_size] for row in rows.tolist()]
        return torch.from_numpy(np.stack(picked).astype(np.int64))

    def log_probs_of(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, K, V) float32 log-probabilities of the teacher at the given held-out sequences."""
        stored = torch.from_numpy(self.held_out_log_probs[rows.numpy()])
        return stored.float().log_softmax(dim=-1)  # half precision left them a little off one


def prepare_data(task: DataTask) -> DataSummary:
    """Pack the corpus and draw the masks, unless the folder has them already.

    Raises:
        CorpusError: Too little text.
        TeacherError: The tokenizer cannot be loaded.
        StorageError: The folder cannot be written.
    """
    file = Path(task.folder) / _BATCHES
    remove_leftovers(file.parent)
    if not file.exists():
        tokenizer = load_tokenizer(task.teacher.path)
        rule = MaskingRule.for_tokenizer(tokenizer)
        batches: list[MaskedBatch] = []
        wanted = {"train": task.num_sequences, "validation": task.held_out_sequences}
        for index, (side, count) in enumerate(wanted.items()):
            packed = pack_corpus(task.corpus, task.corpus_spec, tokenizer, side, num_sequences=count, seed=task.seed)  # type: ignore[arg-type]
            generator = torch.Generator().manual_seed(2 * task.seed + index)
            batches.append(draw_masks(torch.from_numpy(packed.astype(np.int64)), rule, generator))
        filled = len(batches[1].input_ids)
        if filled < _MIN_HELD_OUT:
            raise CorpusError(f"the held-out text fills only {filled} sequences; at least {_MIN_HELD_OUT} are needed")
        save_batches(file.parent, *batches)
    train, held_out = _load_batches(Path(task.folder))
    return DataSummary(num_sequences=len(train.input_ids), held_out_sequences=len(held_out.input_ids))


def save_batches(folder: Path, train: MaskedBatch, held_out: MaskedBatch) -> None:
    """Write the masked sequences of a search, the first of its files.

    Raises:
        StorageError: The folder cannot be written.
    """
    sides = {"train": train, "validation": held_out}
    tensors = {f"{side}.{name}": getattr(batch, name).int() for side, batch in sides.items() for name in _FIELDS}
    with atomic_file(folder / _BATCHES) as temporary:
        save_file(tensors, temporary)


def compute_targets(task: TargetsTask, teacher: PreTrainedModel) -> TeacherQuality | None:
    """Run the teacher over one shard and store what students need of it, unless it is stored already.

    Returns:
        The teacher's own quality for the held-out shard, None for a training shard.

    Raises:
        StorageError: The folder cannot be written.
    """
    folder = Path(task.folder)
    train, held_out = _load_batches(folder)
    if task.shard is None:
        return _held_out_targets(folder, teacher, held_out)
    file = folder / f"targets-{task.shard:05d}.npy"
    if not file.exists():
        generator = torch.Generator(teacher.device).manual_seed(task.seed * 1_000_003 + task.shard)
        draws = [
            _draw(_teacher_log_probs(teacher, train, rows, task.precision), generator)
            for rows in torch.arange(task.first, task.last).split(_ROWS_AT_ONCE)
        ]
        _save_array(file, np.concatenate(draws))
    return None


def load_search_data(folder: Path) -> SearchData:
    """Open a complete folder. Large arrays stay on disk until they are touched."""
    train, held_out = _load_batches(folder)
    shards = sorted(folder.glob("targets-*.npy"))
    return SearchData(
        train=train,
        draws=[np.load(shard, mmap_mode="r") for shard in shards],
        held_out=held_out,
        held_out_log_probs=np.load(folder / "held-out.npy", mmap_mode="r"),
    )


def _load_batches(folder: Path) -> tuple[MaskedBatch, MaskedBatch]:
    tensors = load_file(folder / _BATCHES)
    train = MaskedBatch(*(tensors[f"train.{name}"].long() for name in _FIELDS))
    held_out = MaskedBatch(*(tensors[f"validation.{name}"].long() for name in _FIELDS))
    return train, held_out


def _teacher_log_probs(
    teacher: PreTrainedModel, batch: MaskedBatch, rows: torch.Tensor, precision: Precision = "float32"
) -> torch.Tensor:
    input_ids, positions = batch.input_ids[rows].to(teacher.device), batch.positions[rows].to(teacher.device)
    with torch.inference_mode(), autocast(teacher.device, precision):
        return logits_at(teacher, input_ids, positions).float().log_softmax(dim=-1)


def _draw(log_probs: torch.Tensor, generator: torch.Generator) -> np.ndarray:
    dtype = np.uint16 if log_probs.shape[-1] <= 2**16 else np.uint32
    return systematic_draws(log_probs, NUM_DRAWS, generator).cpu().numpy().astype(dtype)


def _held_out_targets(folder: Path, teacher: PreTrainedModel, batch: MaskedBatch) -> TeacherQuality:
    array, summary = folder / "held-out.npy", folder / "teacher.json"
    if not (array.exists() and summary.exists()):
        log_probs, quality = _judge(teacher, batch)
        if not array.exists():
            _save_array(array, log_probs)
        if not summary.exists():
            write_json(summary, asdict(quality))
    return TeacherQuality(**json.loads(summary.read_text(encoding="utf8")))


def _judge(teacher: PreTrainedModel, batch: MaskedBatch) -> tuple[np.ndarray, TeacherQuality]:
    """The teacher's log-probabilities (M, K, V) at the targets, in half precision, and its own quality."""
    stored: list[np.ndarray] = []
    entropies: list[float] = []
    losses: list[float] = []
    hits: list[float] = []
    for rows in torch.arange(len(batch.input_ids)).split(_ROWS_AT_ONCE):
        log_probs = _teacher_log_probs(teacher, batch, rows)
        labels = batch.labels[rows].to(log_probs.device)
        stored.append(log_probs.half().cpu().numpy())
        entropies += (-(log_probs.exp() * log_probs).sum(-1)).double().mean(dim=1).tolist()
        losses += (-log_probs.gather(-1, labels[..., None])).double().mean(dim=(1, 2)).tolist()
        hits += (log_probs.argmax(-1) == labels).double().mean(dim=1).tolist()
    entropy, entropy_stderr = mean_and_stderr(entropies)
    quality = TeacherQuality(
        entropy_nats=entropy,
        entropy_stderr_nats=entropy_stderr,
        masked_lm_loss_nats=mean_and_stderr(losses)[0],
        masked_accuracy=mean_and_stderr(hits)[0],
        num_targets=batch.labels.numel(),
    )
    return np.concatenate(stored), quality


def _save_array(file: Path, array: np.ndarray) -> None:
    with atomic_file(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
