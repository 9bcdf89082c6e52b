from contextlib import closing
from pathlib import Path

import builders
import pytest
from stored import claimed

from ose.core.job import Candidate, Distillation, DistillationResult, Job
from ose.core.recipe import DistillationSpec
from ose.errors import InvalidInputError
from ose.store.database import open_store
from ose.students.distill import Distill, check_workers, distill_student, num_steps_kept


@pytest.mark.parametrize(("batch_size", "micro_batch_size", "most"), [(64, 16, 4), (65, 16, 5), (8, 16, 1)])
def test_every_worker_has_a_micro_batch_in_each_step(batch_size: int, micro_batch_size: int, most: int) -> None:
    spec = DistillationSpec(batch_size=batch_size, micro_batch_size=micro_batch_size)
    check_workers(spec, 1)
    check_workers(spec, most)
    with pytest.raises(InvalidInputError, match=f"^{most + 1} workers cannot share {most} micro-batch.*at most {most}"):
        check_workers(spec, most + 1)


def test_no_workers_are_too_few() -> None:
    with pytest.raises(InvalidInputError, match="workers must be positive, not 0"):
        check_workers(DistillationSpec(), 0)


def test_of_two_distillations_at_once_each_gives_its_own(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        job = claimed(store)
        [candidate] = store.add_candidates("job-1", "owner", [builders.new_candidate(1)])

        def ask(spec: DistillationSpec, distill: Distill) -> Distillation:
            return distill_student(store, job, candidate, spec, tmp_path, distill, lambda: builders.NOW)

        def quick(_: Job, __: Candidate, spec: DistillationSpec, folder: Path) -> DistillationResult:
            return builders.distillation_result(num_steps=spec.steps)

        def slow(job: Job, candidate: Candidate, spec: DistillationSpec, folder: Path) -> DistillationResult:
            ask(DistillationSpec(steps=2), quick)  # begun later, ended earlier
            return quick(job, candidate, spec, folder)

        done = ask(DistillationSpec(steps=1), slow)
        assert done.spec.steps == 1
        assert done.result is not None and done.result.num_steps == 1


def test_the_newest_checkpoint_says_how_far_a_distillation_is(tmp_path: Path) -> None:
    import torch

    from ose.training.checkpoint import save_checkpoint

    model = torch.nn.Linear(1, 1)
    assert num_steps_kept(tmp_path) == 0
    for step in (20, 1_000):
        save_checkpoint(tmp_path / "checkpoints", step, model, torch.optim.AdamW(model.parameters()), {})
        assert num_steps_kept(tmp_path) == step
    (tmp_path / "checkpoints" / "step-00009999.leftover").mkdir()
    assert num_steps_kept(tmp_path) == 1_000
