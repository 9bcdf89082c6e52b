"""Names for what jobs share: made of everything that decides the content, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

from ose.core.job import Job
from ose.core.layers import LayerChoice, has_to_eliminate
from ose.core.measurement import DeviceFingerprint, LatencyProtocol
from ose.core.spec import JobSpec
from ose.core.task import LatencyTask

_ANATOMY_VERSION = 1
"""Goes up when what is measured changes, so that files of before are not read."""


def search_data_key(job: Job) -> str:
    """Names a job's search data."""
    spec = job.spec
    return _digest(
        {
            "teacher": job.teacher.digest,
            "corpus": job.corpus.digest,
            "text": [spec.corpus.sequence_length, spec.corpus.text_field, spec.corpus.max_tokens],
            "num_sequences": num_sequences_wanted(spec),
            "held_out_sequences": spec.search.held_out_sequences,
            "seed": spec.search.seed,
            "precision": spec.search.precision,
        }
    )


def anatomy_key(job: Job) -> str:
    """Names the anatomy of a job's teacher on its corpus; jobs with other steps or seeds share it."""
    spec = job.spec
    return _digest(
        {
            "teacher": job.teacher.digest,
            "corpus": job.corpus.digest,
            "text": [spec.corpus.sequence_length, spec.corpus.text_field, spec.corpus.max_tokens],
            "num_sequences": num_anatomy_sequences(spec),
            "version": _ANATOMY_VERSION,
        }
    )


def inheritance_key(spec: JobSpec) -> str:
    """Names how students of a job start, whatever layers they keep."""
    return _digest({**asdict(spec.search.inheritance), "layers": None})


def num_anatomy_sequences(spec: JobSpec) -> int:
    """Sequences of the sample that a teacher's anatomy is measured on."""
    return max(1, spec.search.inheritance.tokens // spec.corpus.sequence_length)


def needs_anatomy(spec: JobSpec) -> bool:
    """Whether students start from parts of the teacher that have to be chosen by measurement."""
    search = spec.search
    asked = (replace(search.inheritance, layers=choice) for choice in _layer_choices(spec))
    return search.initialization == "inherit" and any(each.needs_anatomy for each in asked)


def eliminates_layers(job: Job) -> bool:
    """Whether the teacher's layers have to be measured against one another for any student."""
    shallowest = min(job.spec.space.num_hidden_layers)
    return has_to_eliminate(_layer_choices(job.spec), job.teacher.architecture.num_hidden_layers, shallowest)


def _layer_choices(spec: JobSpec) -> tuple[LayerChoice, ...]:
    return spec.space.layers or (spec.search.inheritance.layers,)


def num_sequences_wanted(spec: JobSpec) -> int:
    """Training sequences after which no candidate sees one twice."""
    return max(spec.search.steps * theta.batch_size for theta in spec.search.hyperparameters)


def latency_keys(task: LatencyTask, fingerprint: DeviceFingerprint) -> tuple[str, str, str]:
    """Name a latency by its shape, its protocol and its device, as the store takes them."""
    return shape_key(task), protocol_key(task.protocol), _digest(asdict(fingerprint))


def shape_key(task: LatencyTask) -> str:
    """Names what latency depends on: the shape alone for students, the very model for a teacher."""
    if task.is_teacher:
        return f"teacher:{task.teacher.digest[:24]}"
    embedding = task.teacher.embedding
    tables = f"{embedding.vocab_size}:{embedding.max_position_embeddings}:{embedding.type_vocab_size}"
    return f"{task.teacher.model_type}:{tables}:{task.architecture}"


def protocol_key(protocol: LatencyProtocol) -> str:
    """Names the conditions of a measurement; how often it may be repeated is none."""
    conditions = asdict(protocol)
    del conditions["max_attempts"]
    return _digest(conditions)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
