"""A search's batches and targets on a GPU, brought there once for all candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ose.data.search_spans import ONE_SPAN, Span, batch_rows
from ose.tasks.fill_mask.masking import MaskedBatch
from ose.tasks.fill_mask.search_data import FillMaskData


@dataclass(frozen=True, slots=True)
class ResidentData:
    """What `FillMaskData` holds, in the device's memory: a step takes its batch without the host's help.

    Attributes:
        train: N masked sequences.
        draws: (N, K, S) int32 ids drawn from the teacher's distributions.
        held_out: M masked sequences.
        held_out_log_probs: (M, K, V) float16, the teacher's.
        spans: As there.
    """

    train: MaskedBatch
    draws: torch.Tensor
    held_out: MaskedBatch
    held_out_log_probs: torch.Tensor
    spans: tuple[Span, ...] = ONE_SPAN

    def batch_rows(self, num_steps: int, batch_size: int) -> torch.Tensor:
        """(num_steps, batch_size): the training sequences of each step."""
        return batch_rows(self.spans, len(self.train.input_ids), num_steps, batch_size)

    def draws_of(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, K, S) int64 draws of the given training sequences."""
        return self.draws[rows].long()

    def log_probs_of(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, K, V) float32 log-probabilities of the teacher at the given held-out sequences."""
        return self.held_out_log_probs[rows].float().log_softmax(dim=-1)


def on_device(data: FillMaskData | ResidentData, device: torch.device) -> FillMaskData | ResidentData:
    """The data where students train: in a GPU's memory, or for a CPU as they are, mapped from disk."""
    return data if isinstance(data, ResidentData) or device.type == "cpu" else make_resident(data, device)


def make_resident(data: FillMaskData, device: torch.device) -> ResidentData:
    """Copy a search's data into the memory of `device`."""
    return ResidentData(
        train=data.train.to(device),
        draws=torch.from_numpy(np.concatenate(data.draws).astype(np.int32)).to(device),
        held_out=data.held_out.to(device),
        held_out_log_probs=torch.from_numpy(np.array(data.held_out_log_probs)).to(device),
        spans=data.spans,
    )
