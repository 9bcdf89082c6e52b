"""How much may be asked of this machine: every bound that an outsider could run into, from the environment.

Files are read within these bounds on machines that have little beside torch, too, so the standard library is enough.
"""

from __future__ import annotations

import math
import os
from dataclasses import Field, dataclass, field, fields
from typing import Any

from ose.errors import InvalidInputError, SettingError

_PREFIX = "OSE_"


def _limit(default: float, least: float, bounds: str) -> Any:
    return field(default=default, metadata={"least": least, "bounds": bounds})


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """Every limit with its default, the least that it can be, and what it bounds.

    Each field is set by the variable `OSE_` and its name in capitals. A refusal names that variable (`setting_of`), and
    docs/SERVICE.md lists all of them.
    """

    max_body_bytes: int = _limit(1_000_000, 1_000, "bytes of a request's body")
    max_pattern_files: int = _limit(1_000, 1, "files that one pattern of `corpus` may match")
    max_pattern_entries: int = _limit(
        100_000, 1, "directory entries that the patterns of one job's `corpus` may look at"
    )
    max_queued_jobs: int = _limit(100, 1, "jobs of one token that wait")
    max_kept_jobs: int = _limit(10_000, 1, "jobs of one token, ended ones too, until it deletes some")
    max_queued_distillations: int = _limit(100, 1, "distillations asked for by one token that wait")
    max_axis_values: int = _limit(1_000, 1, "values of one axis of a search space")
    max_space_members: int = _limit(10_000_000, 1, "members of a search space")
    max_candidates: int = _limit(100_000, 1, "candidates of one job, rejected ones too")
    max_sequences: int = _limit(
        100_000_000, 1, "sequences that one candidate is trained on: `search.steps` times `batch_size`"
    )
    max_workers: int = _limit(1_000, 1, "workers of one job, or of one distillation")
    max_threads: int = _limit(256, 1, "cores of one worker, and threads of a latency measurement")
    max_claims: int = _limit(3, 1, "times that a job or distillation is claimed without getting on before it fails")
    max_name_length: int = _limit(200, 1, "characters of the name of a job, a space or a token")
    max_submissions: int = _limit(8, 1, "submissions, extensions and costs worked out at once")
    max_submission_s: float = _limit(120, 0.001, "seconds for one of these, after which it is ended")
    max_submission_memory_bytes: int = _limit(4_000_000_000, 500_000_000, "bytes of memory for one of these")
    max_bodies: int = _limit(64, 1, "requests with a body that are read or answered at once")
    max_small_body_bytes: int = _limit(65_536, 1_000, "bytes of a request's body that holds no job")
    max_readings: int = _limit(16, 1, "other questions answered at once")
    max_changes: int = _limit(8, 1, "other changes made at once")
    max_wait_s: float = _limit(5, 0, "seconds that a request waits for one of these places")
    max_streams: int = _limit(1_000, 1, "streams of events at once")
    max_streams_of_caller: int = _limit(100, 1, "streams of events at once for one token")
    max_connections: int = _limit(2_000, 1, "connections at once")
    max_connections_of_address: int = _limit(1_500, 1, "connections at once from one address")
    max_head_bytes: int = _limit(65_536, 1_000, "bytes of a request beside its body")
    max_head_s: float = _limit(10, 0.001, "seconds until a request's head is there")
    max_body_s: float = _limit(30, 0.001, "seconds until its body is there")
    max_idle_s: int = _limit(5, 1, "seconds that a connection is kept between two requests")
    max_unread_s: float = _limit(30, 0.001, "seconds that a caller may leave an answer unread")
    max_yaml_bytes: int = _limit(200_000, 1_000, "bytes of a job file or a search space")
    max_yaml_values: int = _limit(20_000, 100, "values in a job file or a search space, aliases unfolded")
    max_header_bytes: int = _limit(
        4_000_000, 1_000, "bytes of a safetensors file's header, or of a parquet file's footer"
    )
    max_teacher_tensors: int = _limit(20_000, 1, "tensors that a teacher's weights consist of")
    max_teacher_file_bytes: int = _limit(64_000_000, 1_000, "bytes of each of a teacher's files beside its weights")
    max_teacher_bytes: int = _limit(
        20_000_000_000, 1_000, "bytes of a teacher that is fetched from the hub, all its files together"
    )
    max_teacher_file_values: int = _limit(4_000_000, 1_000, "values in each of a teacher's JSON files")
    max_teacher_labels: int = _limit(10_000, 2, "labels that a teacher's config.json may ask for")
    max_line_bytes: int = _limit(10_000_000, 1_000, "bytes of a line of text, or of a document in any other form")
    max_blank_lines: int = _limit(1_000_000, 1, "lines or records without text that may follow one another in a corpus")
    max_expansion: int = _limit(
        200, 2, "times that a compressed text may grow when it is unpacked, beyond its first 64 MB"
    )
    max_page_bytes: int = _limit(128_000_000, 1_000, "bytes of a parquet file's page when it is unpacked")
    max_dataset_bytes: int = _limit(2_000_000_000, 500_000_000, "bytes of memory in which a dataset of the hub is read")
    max_job_memory_bytes: int = _limit(
        0, 0, "bytes of memory that a job's workers may take together; 0 is what this machine has"
    )


def operator_limits() -> OperatorLimits:
    """The limits in force, as the environment says now.

    Raises:
        SettingError: A variable is no number, or one that the limit cannot be.
    """
    texts = {limit: os.environ[setting_of(limit.name)] for limit in _LIMITS if setting_of(limit.name) in os.environ}
    return OperatorLimits(**{limit.name: _number(limit, text) for limit, text in texts.items()})


_LIMITS: tuple[Field[Any], ...] = fields(OperatorLimits)


def _number(limit: Field[Any], text: str) -> Any:
    kind, least = (float if limit.type == "float" else int), limit.metadata["least"]
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not least <= number < math.inf:
        what = "a number" if kind is float else "a whole number"
        raise SettingError(f"{setting_of(limit.name)} must be {what} of at least {least:,}, not {text[:40]!r}")
    return number


def setting_of(limit: str) -> str:
    """The environment variable that changes a limit: `max_body_bytes` gives `OSE_MAX_BODY_BYTES`."""
    return _PREFIX + limit.upper()


def require_within(limit: str, number: int, what: str, error: type[InvalidInputError] = InvalidInputError) -> None:
    """Refuse a number above the limit of this name.

    Args:
        limit: A field of `OperatorLimits`.
        number: What is asked for.
        what: What it is, with the number: `workers.count is 12`.
        error: What is raised.

    Raises:
        InvalidInputError: It is above; the message names the setting.
    """
    most = getattr(operator_limits(), limit)
    if number > most:
        raise error(f"{what}, more than the {most:,} that {setting_of(limit)} allows")
