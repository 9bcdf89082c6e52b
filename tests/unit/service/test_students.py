import pytest

from ose.core.recipe import DistillationSpec
from ose.errors import InvalidInputError
from ose.service.students import check_workers


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
