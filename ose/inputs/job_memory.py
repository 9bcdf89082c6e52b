"""Hold the memory that a job will take against what its workers may have, before any of it is taken."""

from __future__ import annotations

from ose.core.architecture import Architecture
from ose.core.job import CorpusFacts, Job, TeacherFacts
from ose.core.memory import distillation_memory, fitting_batch, fitting_workers, job_memory
from ose.core.recipe import DistillationSpec
from ose.core.spec import JobSpec, WorkersSpec
from ose.errors import InvalidInputError, JobFileError
from ose.families.counts import counts_of
from ose.inputs.machine_memory import machine_memory_bytes
from ose.limits import operator_limits, setting_of
from ose.settings import Settings


def check_memory(spec: JobSpec, teacher: TeacherFacts, corpus: CorpusFacts) -> None:
    """Refuse a job that would take more memory than there is, with the figure and what would fit.

    Raises:
        JobFileError: It would.
    """
    most = _most(spec.workers, joins_ray=spec.workers.uses_ray)
    needed = job_memory(spec, teacher, counts_of(teacher), corpus.size_bytes)
    if most is not None and needed > most:
        raise JobFileError(f"the job takes {_told(needed, most)}; {_advice(spec, teacher, corpus, most)}")


def check_distillation_memory(job: Job, student: Architecture, recipe: DistillationSpec, num_workers: int) -> None:
    """Refuse a full distillation that would take more memory than there is.

    Raises:
        InvalidInputError: It would.
    """
    most = _most(job.spec.workers, joins_ray=num_workers > 1)
    needed = distillation_memory(job, counts_of(job.teacher), student, recipe, num_workers)
    if most is not None and needed > most:
        raise InvalidInputError(
            f"the distillation takes {_told(needed, most)}; lower distillation.micro_batch_size "
            f"({recipe.micro_batch_size}) or the workers ({num_workers}), or set distillation.positions to masked"
        )


def _most(workers: WorkersSpec, *, joins_ray: bool) -> int | None:
    """Bytes that may be taken; None if that is not known here: on GPUs, and on a cluster's machines."""
    told = operator_limits().max_job_memory_bytes
    if workers.gpus:
        return None
    if told:
        return told
    return None if joins_ray and Settings().ray_address else machine_memory_bytes()


def _told(needed: int, most: int) -> str:
    limit = setting_of("max_job_memory_bytes")
    return f"about {needed / 1e9:.1f} GB of memory, and it may have {most / 1e9:.1f} GB ({limit})"


def _advice(spec: JobSpec, teacher: TeacherFacts, corpus: CorpusFacts, most: int) -> str:
    counts = counts_of(teacher)
    if workers := fitting_workers(spec, teacher, counts, corpus.size_bytes, most):
        return f"it fits with workers.count: {workers}"
    if batch_size := fitting_batch(spec, teacher, counts, corpus.size_bytes, most):
        return f"it fits with batch_size: {batch_size}"
    return "no batch is small enough; take a smaller space, teacher or corpus.sequence_length, or less of a sample"
