"""A teacher's anatomy: measured once for each teacher and corpus, kept in a folder, shared by all students."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from ose.artifacts.files import remove_leftovers, write_json
from ose.core.messages import AnatomyTask
from ose.data.corpus import pack_corpus
from ose.extraction.calibration import Anatomy, load_anatomy, measure_anatomy, save_anatomy
from ose.extraction.eliminate import elimination_ranks
from ose.families.bert.parts import MaskedSample
from ose.tasks.fill_mask.masking import MaskingRule, draw_masks
from ose.tasks.fill_mask.teacher import load_tokenizer

_FILE = "anatomy.safetensors"
_RANKS = "layer-elimination.json"
_SEED = 0
"""One sample for all seeds: what a teacher is like does not depend on the search."""


def prepare_anatomy(task: AnatomyTask, teacher: PreTrainedModel) -> None:
    """Draw the sample and measure the teacher on it, unless the folder has the result already.

    Raises:
        CorpusError: Too little text.
        TeacherError: The tokenizer cannot be loaded.
        StorageError: The folder cannot be written.
    """
    folder = Path(task.folder)
    remove_leftovers(folder)
    if not (folder / _FILE).exists():
        save_anatomy(folder / _FILE, measure_anatomy(teacher, _sample(task)))
    if task.eliminates_layers and not (folder / _RANKS).exists():
        anatomy = load_anatomy(folder / _FILE).to(teacher.device)
        write_json(folder / _RANKS, elimination_ranks(teacher, anatomy).tolist())


def open_anatomy(folder: Path) -> Anatomy:
    """Read what `prepare_anatomy` stored."""
    anatomy = load_anatomy(folder / _FILE)
    if not (folder / _RANKS).exists():
        return anatomy
    ranks = torch.tensor(json.loads((folder / _RANKS).read_text(encoding="utf8")))
    return replace(anatomy, importance={**anatomy.importance, "layers.elimination": ranks})


def _sample(task: AnatomyTask) -> MaskedSample:
    tokenizer = load_tokenizer(task.teacher.path, task.teacher.digest)
    packed = pack_corpus(
        task.corpus, task.corpus_spec, tokenizer, "train", num_sequences=task.num_sequences, seed=_SEED
    )
    generator = torch.Generator().manual_seed(_SEED)
    masked = draw_masks(torch.from_numpy(packed.astype(np.int64)), MaskingRule.for_tokenizer(tokenizer), generator)
    return MaskedSample(masked.input_ids, masked.positions, masked.labels)
