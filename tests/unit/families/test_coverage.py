from dataclasses import replace

import pytest
from builders import NOW, architecture, job_spec, new_job, search_space, teacher_facts

from ose.core.job import Job, JobStatus
from ose.core.search_space import SearchSpace
from ose.core.spec import SearchSpec
from ose.families.coverage import notes_of

PLAIN = search_space()


def told(space: SearchSpace = PLAIN, **search: object) -> list[str]:
    new = new_job(spec=job_spec(space=space, search=SearchSpec(**search)))
    teacher = teacher_facts(architecture=architecture(4, 8, 512, 1024))
    job = Job(
        id=new.id,
        status=JobStatus.PENDING,
        spec=new.spec,
        spec_hash=new.spec_hash,
        teacher=teacher,
        corpus=new.corpus,
        created_at=NOW,
    )
    assert notes_of(replace(job, status=JobStatus.FAILED)) == notes_of(job)
    return list(notes_of(job))


def test_a_space_of_which_all_is_looked_at_needs_no_word() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("axes", "line"),
    [
        (
            {"num_attention_heads": (4, 6), "hidden_size": (64, 96)},
            "no candidate has a hidden_size that its heads do not divide: 64 with 6 heads",
        ),
        (
            {"num_attention_heads": (6,), "hidden_size": (384, 512)},
            "no candidate has hidden_size 512: no num_attention_heads of the space divides it",
        ),
        (
            {"num_attention_heads": (4, 7), "hidden_size": (64,)},
            "no candidate has num_attention_heads 7: they divide no hidden_size of the space",
        ),
        ({"intermediate_size": (64, 2048)}, "intermediate_size 2048 of the space exceed the teacher's 1024"),
        ({"num_hidden_layers": (2, 6, 8)}, "num_hidden_layers 6, 8 of the space exceed the teacher's 4"),
    ],
)
def test_values_that_no_candidate_can_use_are_told(axes: dict[str, tuple[int, ...]], line: str) -> None:
    assert line in told(search_space(**axes))


def test_a_stride_that_never_comes_to_a_value_is_told() -> None:
    [line] = told(epsilon=2)
    assert line.startswith("a stride of search.epsilon 2 never comes to num_attention_heads 4; another epsilon")
    assert told(epsilon=3) == []


def test_a_stride_through_a_large_space_is_not_followed_while_somebody_waits() -> None:
    sizes = tuple(range(8, 8 * 1200, 8))
    space = search_space(intermediate_size=sizes, num_hidden_layers=tuple(range(1, 13)))
    assert not any("stride" in line for line in told(space, epsilon=2))
