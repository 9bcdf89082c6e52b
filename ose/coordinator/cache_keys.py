"""Names for what jobs share: made of everything that decides the content, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

from ose.core.job import Candidate, Job, TeacherFacts, inheritance_of
from ose.core.layer_choice import LayerChoice, has_to_eliminate
from ose.core.measurement import DeviceFingerprint, LatencyProtocol
from ose.core.messages import TimedModel
from ose.core.packed_text import text_parts
from ose.core.plain import plain
from ose.core.spec import JobSpec

_CALIBRATION_VERSION = 1

CALIBRATIONS = "anatomy"
"""The folder of calibrations below the artifacts. The files keep the name under which earlier versions stored them."""
"""Goes up when what is measured changes, so that files of before are not read."""


_CHECKPOINT_VERSION = 1
"""Goes up when candidates train differently, so that none goes on from weights of before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDataPart:
    """One folder of a job's search data.

    Attributes:
        key: Names it.
        first_step: The first that is trained on it.
        num_sequences: Training sequences wanted: no candidate then sees one twice.
        held_out_sequences: Of the first part; later ones have none.
        seed: Decides text, masks and draws.
    """

    key: str
    first_step: int
    num_sequences: int
    held_out_sequences: int
    seed: int


def search_data_parts(job: Job) -> tuple[SearchDataPart, ...]:
    """A job's search data: of a job that extends another one, that job's parts and one more."""
    spec = job.spec
    batch_size = max(theta.batch_size for theta in spec.search.hyperparameters)
    return tuple(
        _part(job, first_step, (last_step - first_step) * batch_size)
        for first_step, last_step in pairwise((0, *spec.data_steps))
    )


def _part(job: Job, first_step: int, num_sequences: int) -> SearchDataPart:
    spec, is_first = job.spec, first_step == 0
    held_out = spec.search.num_held_out if is_first else 0
    seed = spec.search.seed if is_first else _later_seed(spec.search.seed, first_step)
    content = {
        "teacher": job.teacher.digest,
        "corpus": job.corpus.digest,
        "text": text_parts(job),
        "num_sequences": num_sequences,
        "held_out_sequences": held_out,
        "seed": seed,
        "precision": spec.search.precision,
        **_task(job.teacher),
    }
    return SearchDataPart(
        key=_digest(content),
        first_step=first_step,
        num_sequences=num_sequences,
        held_out_sequences=held_out,
        seed=seed,
    )


def _task(teacher: TeacherFacts) -> dict[str, str]:
    """Nothing for fill_mask: the files of versions that knew no other task are still found."""
    return {} if teacher.task == "fill_mask" else {"task": teacher.task}


def _later_seed(seed: int, first_step: int) -> int:
    """Of the text that begins at a step: anything else than that of the seed itself."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{first_step}".encode(), digest_size=4).digest())


def search_data_key(job: Job) -> str:
    """Names the folder of a job's search data that has the held-out targets."""
    return search_data_parts(job)[0].key


class CheckpointNames:
    """Names for the weights of a job's candidates; what all of them share is digested once.

    Args:
        job: The job.
    """

    def __init__(self, job: Job) -> None:
        search = job.spec.search
        self._job = job
        self._parts = search_data_parts(job)
        self._shared = _digest(
            {
                "version": _CHECKPOINT_VERSION,
                "anatomy": calibration_key(job) if needs_calibration(job.spec) else None,
                "initialization": search.initialization,
                "seed": search.seed,
                "weight_clip": search.weight_clip,
                "on_gpu": job.spec.workers.gpus > 0,
            }
        )

    def name(self, candidate: Candidate, num_phases: int) -> str:
        """Names a candidate's weights at the end of its first so many phases."""
        phases = candidate.phases[:num_phases]
        return _digest(
            {
                "shared": self._shared,
                "data": [part.key for part in self._parts if part.first_step < phases[-1]],
                "architecture": plain(candidate.architecture),
                "hyperparameters": asdict(candidate.hyperparameters),
                "inheritance": asdict(inheritance_of(self._job, candidate)),
                "legs": phases,  # as earlier versions called them: the name decides the digest
            }
        )


def calibration_key(job: Job) -> str:
    """Names the calibration of a job's teacher on its corpus; jobs with other steps or seeds share it."""
    spec = job.spec
    return _digest(
        {
            "teacher": job.teacher.digest,
            "corpus": job.corpus.digest,
            "text": text_parts(job),
            "num_sequences": num_calibration_sequences(spec),
            "version": _CALIBRATION_VERSION,
            **_task(job.teacher),
        }
    )


def inheritance_key(spec: JobSpec) -> str:
    """Names how students of a job start, whatever layers they keep."""
    return _digest({**asdict(spec.search.inheritance), "layers": None})


def num_calibration_sequences(spec: JobSpec) -> int:
    """Sequences of the sample that a teacher's calibration is measured on."""
    return max(1, spec.search.inheritance.tokens // spec.corpus.sequence_length)


def needs_calibration(spec: JobSpec) -> bool:
    """Whether students start from parts of the teacher that have to be chosen by measurement."""
    search = spec.search
    asked = (replace(search.inheritance, layers=choice) for choice in _layer_choices(spec))
    return search.initialization == "inherit" and any(each.needs_calibration for each in asked)


def eliminates_layers(job: Job) -> bool:
    """Whether the teacher's layers have to be measured against one another for any student."""
    shallowest = min(job.spec.space.num_hidden_layers)
    return has_to_eliminate(_layer_choices(job.spec), job.teacher.architecture.num_hidden_layers, shallowest)


def _layer_choices(spec: JobSpec) -> tuple[LayerChoice, ...]:
    return spec.space.layers or (spec.search.inheritance.layers,)


def latency_keys(model: TimedModel, protocol: LatencyProtocol, fingerprint: DeviceFingerprint) -> tuple[str, str, str]:
    """Name a latency by its shape and its teacher's, its protocol and its device, as the store takes them.

    Without the teacher's shape, as keys were made before models took turns, other figures would be found.
    """
    teacher = replace(model, architecture=model.teacher.architecture, is_teacher=False)
    shapes = f"{shape_key(model)} beside {shape_key(teacher)}"
    return shapes, protocol_key(protocol), _digest(asdict(fingerprint))


def shape_key(model: TimedModel) -> str:
    """Names what latency depends on: the shape alone for students, the very model for a teacher."""
    if model.is_teacher:
        return f"teacher:{model.teacher.digest[:24]}"
    embedding = model.teacher.embedding
    tables = f"{embedding.vocab_size}:{embedding.max_position_embeddings}:{embedding.type_vocab_size}"
    head = f":{model.teacher.task}:{embedding.num_labels}" if embedding.num_labels else ""
    return f"{model.teacher.model_type}:{tables}:{model.architecture}{head}"


def protocol_key(protocol: LatencyProtocol) -> str:
    """Names the conditions of a measurement; how long it may take is none."""
    conditions = {**asdict(protocol), "sequence_length": protocol.num_tokens}
    del conditions["seconds_per_shape"]
    if protocol.long_sequence_length is None:  # as keys were made when there was no second one
        del conditions["long_sequence_length"]
    return _digest(conditions)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
