"""Where OSE keeps things, from the environment: the only reader of environment variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ose.errors import InvalidInputError

_PREFIX = "OSE_"


class Settings(BaseSettings):
    """Each field is set by the variable `OSE_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX)

    home: Path = Path("results")
    """Folder of the database, artifacts and runs."""

    database_url: str | None = None
    """SQLAlchemy URL; by default the SQLite file `ose.db` in the home folder."""

    ray_address: str | None = None
    """A running Ray cluster; by default jobs that want Ray start one on this machine, on loopback."""

    data_root: Path | None = None
    """Folder of the teachers and texts that jobs submitted over HTTP may name; without it, only what a hub has."""

    token: SecretStr | None = None
    """What `ose --server` shows a service. Read from here alone: arguments are seen by every user of a machine."""

    @property
    def store_url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'ose.db'}"

    @property
    def artifacts(self) -> Path:
        """Folder of search data and checkpoints, which workers must see under the same path."""
        return self.home.absolute() / "artifacts"


class OperatorLimits(BaseSettings):
    """How much may be asked of this machine: every bound that an outsider could run into, with its default.

    Each field is set by the variable `OSE_` and its name in capitals. A refusal names that variable (`setting_of`), and
    docs/SERVICE.md lists all of them.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    max_body_bytes: int = Field(1_000_000, ge=1_000, description="bytes of a request's body")
    max_pattern_files: int = Field(1_000, ge=1, description="files that one pattern of `corpus` may match")
    max_pattern_entries: int = Field(
        100_000, ge=1, description="directory entries that the patterns of one job's `corpus` may look at"
    )
    max_queued_jobs: int = Field(100, ge=1, description="jobs of one token that wait")
    max_kept_jobs: int = Field(10_000, ge=1, description="jobs of one token, ended ones too, until it deletes some")
    max_queued_distillations: int = Field(100, ge=1, description="distillations asked for by one token that wait")
    max_axis_values: int = Field(1_000, ge=1, description="values of one axis of a search space")
    max_space_members: int = Field(10_000_000, ge=1, description="members of a search space")
    max_candidates: int = Field(100_000, ge=1, description="candidates of one job, rejected ones too")
    max_sequences: int = Field(
        100_000_000, ge=1, description="sequences that one candidate is trained on: `search.steps` times `batch_size`"
    )
    max_workers: int = Field(1_000, ge=1, description="workers of one job, or of one distillation")
    max_threads: int = Field(256, ge=1, description="cores of one worker, and threads of a latency measurement")
    max_claims: int = Field(3, ge=1, description="times that a job is claimed without getting on before it fails")
    max_name_length: int = Field(200, ge=1, description="characters of the name of a job, a space or a token")
    max_submissions: int = Field(8, ge=1, description="submissions, extensions and costs worked out at once")
    max_submission_s: float = Field(120, gt=0, description="seconds for one of these, after which it is ended")
    max_submission_memory_bytes: int = Field(
        4_000_000_000, ge=500_000_000, description="bytes of memory for one of these"
    )
    max_bodies: int = Field(64, ge=1, description="requests with a body that are read or answered at once")
    max_small_body_bytes: int = Field(65_536, ge=1_000, description="bytes of a request's body that holds no job")
    max_readings: int = Field(16, ge=1, description="other questions answered at once")
    max_changes: int = Field(8, ge=1, description="other changes made at once")
    max_wait_s: float = Field(5, ge=0, description="seconds that a request waits for one of these places")
    max_streams: int = Field(1_000, ge=1, description="streams of events at once")
    max_streams_of_caller: int = Field(100, ge=1, description="streams of events at once for one token")
    max_connections: int = Field(2_000, ge=1, description="connections at once")
    max_connections_of_address: int = Field(1_000, ge=1, description="connections at once from one address")
    max_head_bytes: int = Field(65_536, ge=1_000, description="bytes of a request beside its body")
    max_head_s: float = Field(10, gt=0, description="seconds until a request's head is there")
    max_body_s: float = Field(30, gt=0, description="seconds until its body is there")
    max_idle_s: int = Field(5, ge=1, description="seconds that a connection is kept between two requests")
    max_unread_s: float = Field(30, gt=0, description="seconds that a caller may leave an answer unread")
    max_yaml_bytes: int = Field(200_000, ge=1_000, description="bytes of a job file or a search space")
    max_yaml_values: int = Field(20_000, ge=100, description="values in a job file or a search space, aliases unfolded")
    max_header_bytes: int = Field(
        4_000_000, ge=1_000, description="bytes of a safetensors file's header, or of a parquet file's footer"
    )
    max_teacher_tensors: int = Field(20_000, ge=1, description="tensors that a teacher's weights consist of")
    max_teacher_file_bytes: int = Field(
        64_000_000, ge=1_000, description="bytes of each of a teacher's files beside its weights"
    )
    max_teacher_file_values: int = Field(4_000_000, ge=1_000, description="values in each of a teacher's JSON files")
    max_teacher_labels: int = Field(10_000, ge=2, description="labels that a teacher's config.json may ask for")
    max_line_bytes: int = Field(
        10_000_000, ge=1_000, description="bytes of a line of text, or of a document in any other form"
    )
    max_blank_lines: int = Field(
        1_000_000, ge=1, description="lines or records without text that may follow one another in a corpus"
    )
    max_expansion: int = Field(
        200, ge=2, description="times that a compressed text may grow when it is unpacked, beyond its first 64 MB"
    )
    max_page_bytes: int = Field(128_000_000, ge=1_000, description="bytes of a parquet file's page when it is unpacked")
    max_dataset_bytes: int = Field(
        2_000_000_000, ge=500_000_000, description="bytes of memory in which a dataset of the hub is read"
    )
    max_job_memory_bytes: int = Field(
        0, ge=0, description="bytes of memory that a job's workers may take together; 0 is what this machine has"
    )


def operator_limits() -> OperatorLimits:
    """The limits in force, as the environment says now.

    Raises:
        InvalidInputError: A variable is no number, or one that the limit cannot be.
    """
    try:
        return OperatorLimits()
    except ValidationError as error:
        details = error.errors()[0]
        raise InvalidInputError(f"{setting_of(str(details['loc'][0]))}: {details['msg']}") from error


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
