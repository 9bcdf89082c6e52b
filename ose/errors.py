"""Every error OSE raises on purpose.

    OseError
    ├── InvalidInputError        the user's request cannot be served as written
    │   ├── JobFileError         a job file or search space does not parse or validate
    │   ├── TeacherError         no usable masked language model at the given place
    │   ├── CorpusError          no usable text at the given place
    │   │   └── BrokenFileError  a file of it cannot be read any further
    │   ├── SearchSpaceError     a space without a valid member, or one its teacher cannot serve
    │   ├── NotFoundError        an id or name that nothing answers to
    │   └── TooSlowError         checking it took longer than it may
    ├── AccessError              the caller may not do this
    │   ├── UnauthenticatedError no token, or none that counts
    │   ├── ForbiddenError       the token's scope does not reach so far
    │   ├── TooManyFailuresError wrong tokens came too fast from one address
    │   └── QuotaError           the caller's token has as much waiting, or kept, as it may
    ├── ConflictError            the request is fine, the state of the job forbids it
    ├── MachineError             the machine is in the way
    │   ├── SettingError         an OSE_... variable of the environment is not what it may be
    │   ├── StoreError           the database cannot be opened, read or written
    │   │   └── UnreadableError  one row of it is not what this OSE writes
    │   ├── StorageError         a file cannot be written (full disk, no permission)
    │   ├── DependencyError      a library or device that was asked for is not there
    │   ├── ServiceError         a remote service cannot be reached, or has failed
    │   └── BusyError            every place is taken; later one is free
    └── EvaluationError          a candidate could not be trained or measured
        ├── NonFiniteLossError   the loss became NaN or infinite
        ├── MemoryExhaustedError the worker ran out of memory
        └── WorkerLostError      the worker process died under the task
            └── WorkerStartError the worker did not even start

`code` is stable: it is stored with a failed candidate, and printed and served with
every message. Foreign exceptions are translated where the library is owned.
"""

from __future__ import annotations

from collections.abc import Iterator


class OseError(Exception):
    """Base of the tree. The message says what, which value, and what to do."""

    code = "error"


class InvalidInputError(OseError, ValueError):
    """The user's request cannot be served as written."""

    code = "invalid_input"


class JobFileError(InvalidInputError):
    """A job file or search space does not parse or does not validate."""

    code = "invalid_job_file"


class TeacherError(InvalidInputError):
    """There is no usable masked language model at the given place."""

    code = "invalid_teacher"


class CorpusError(InvalidInputError):
    """There is no usable text at the given place."""

    code = "invalid_corpus"


class BrokenFileError(CorpusError):
    """A file of text cannot be read any further: an archive is cut short, or the disk fails."""

    code = "broken_file"


class SearchSpaceError(InvalidInputError):
    """The search space has no valid member, or one that its teacher cannot serve."""

    code = "invalid_search_space"


class NotFoundError(InvalidInputError):
    """Nothing answers to this id or name."""

    code = "not_found"


class TooSlowError(InvalidInputError):
    """Checking what was asked for took longer than it may."""

    code = "too_slow"


class AccessError(OseError):
    """The caller may not do this."""

    code = "access"


class UnauthenticatedError(AccessError):
    """There is no token, or it is unknown, revoked or expired. The message never says which."""

    code = "unauthenticated"


class ForbiddenError(AccessError):
    """The token is good, but its scope does not reach so far."""

    code = "forbidden"


class TooManyFailuresError(AccessError):
    """Wrong tokens came too fast from one address."""

    code = "too_many_failures"


class QuotaError(AccessError):
    """The caller's token has as much waiting, or kept, as it may."""

    code = "quota"


class ConflictError(OseError):
    """The request is fine, but the state of the job forbids it."""

    code = "conflict"


class MachineError(OseError):
    """The machine is in the way."""

    code = "environment"


class SettingError(MachineError):
    """A variable of the environment is not what it may be. The message names it, and nothing that it was needed for."""

    code = "setting"


class StoreError(MachineError):
    """The database cannot be opened, read or written."""

    code = "store"


class UnreadableError(StoreError):
    """A row of the database holds what this OSE cannot read. The message says which, and where it stumbles."""

    code = "unreadable"


class StorageError(MachineError):
    """A file cannot be written: the disk is full, or permission is missing."""

    code = "storage"


class DependencyError(MachineError):
    """A library or device that was asked for is not there."""

    code = "dependency"


class ServiceError(MachineError):
    """A remote service cannot be reached, or has failed."""

    code = "service"


class BusyError(MachineError):
    """Every place for such a request is taken; asked again later, it may find one."""

    code = "busy"


class EvaluationError(OseError):
    """A candidate could not be trained or measured.

    `is_retryable` says whether the same work may succeed when tried again.
    """

    code = "evaluation"
    is_retryable = False


class NonFiniteLossError(EvaluationError):
    """The loss became NaN or infinite; the same seed would do it again."""

    code = "non_finite_loss"


class MemoryExhaustedError(EvaluationError):
    """The worker ran out of memory; beside other work it may fit the next time."""

    code = "out_of_memory"
    is_retryable = True


class WorkerLostError(EvaluationError):
    """The worker process died under the task."""

    code = "worker_lost"
    is_retryable = True


class WorkerStartError(WorkerLostError):
    """The worker did not even start: the machine is to blame, or this process, but not the task."""

    code = "worker_start"


def error_of(code: str, message: str, fallback: type[OseError]) -> OseError:
    """The error of the tree that has this code, as another process told it."""
    kinds = {kind.code: kind for kind in _tree(OseError)}
    return kinds.get(code, fallback)(message)


def is_mistake(code: str) -> bool:
    """Whether the error of this code is in what was asked for: the same again would end alike."""
    return any(kind.code == code for kind in _tree(InvalidInputError))


def _tree(kind: type[OseError]) -> Iterator[type[OseError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
