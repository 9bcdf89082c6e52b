from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import architecture
from searches import evaluate_task

from ose.core.measurement import Evaluation
from ose.core.messages import DataRequest
from ose.distillation.candidate_evaluation import evaluate_candidate
from ose.tasks.fill_mask.resident_data import make_resident, on_device
from ose.tasks.fill_mask.search_data import FillMaskData, load_search_data
from ose.tasks.fill_mask.teacher import load_masked_lm

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(search: DataRequest) -> FillMaskData:
    return load_search_data(Path(search.folder))


def test_resident_data_are_the_same(data: FillMaskData) -> None:
    resident = make_resident(data, CPU)
    rows = torch.tensor([0, 17, 39, 17])  # of all three shards
    assert torch.equal(resident.draws_of(rows), data.draws_of(rows))
    assert resident.draws_of(rows).dtype == torch.int64
    assert torch.equal(resident.log_probs_of(rows % 12), data.log_probs_of(rows % 12))
    assert torch.equal(resident.train.input_ids, data.train.input_ids)
    assert torch.equal(resident.held_out.labels, data.held_out.labels)


def test_candidates_see_no_difference(search: DataRequest, data: FillMaskData) -> None:
    def evaluated(of: object) -> Evaluation:
        task = evaluate_task(search, architecture(2, 2, 16, 24), num_steps=7)
        seen = evaluate_candidate(task, load_masked_lm(search.teacher.path), of)
        return replace(seen, wall_time_s=0, training_time_s=0, peak_memory_bytes=0)

    assert evaluated(make_resident(data, CPU)) == evaluated(data)


def test_a_cpu_reads_the_files_and_what_is_resident_stays(data: FillMaskData) -> None:
    assert on_device(data, CPU) is data
    resident = make_resident(data, CPU)
    assert on_device(resident, torch.device("cuda")) is resident
