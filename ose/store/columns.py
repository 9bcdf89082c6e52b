"""Column types that hand out what the rest of OSE works with: dataclasses and aware times."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from sqlalchemy import Boolean, Column, DateTime, Dialect, Enum, String, Text
from sqlalchemy.types import TypeDecorator

from ose.core.former_names import with_columns, without_attempts
from ose.core.spec import JobSpec
from ose.errors import JobFileError, UnreadableError
from ose.store.relative_paths import places_of


class EncodedColumn(TypeDecorator[Any]):
    """One frozen dataclass, or a plain type, as JSON text.

    Text and not the databases' own JSON type, because that one refuses the NaN that a standard error
    of a single sequence is.
    """

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Value to JSON."""
        return None if value is None else to_json(places_of(dialect).kept(value), inf_nan_mode="constants").decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """JSON to value.

        Raises:
            UnreadableError: The text is not what this version of OSE writes.
        """
        if value is None:
            return None
        try:
            return places_of(dialect).found(_adapter(self.kind).validate_json(_as_now(self.kind, value)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UnreadableError(
                f"the database holds a {_name(self.kind)} that this OSE cannot read: {place} {first['msg']}"
            ) from error


def _as_now(kind: Any, text: str) -> str:
    """Jobs of versions that knew no columns but that of texts, or attempts; another JSON text is left as it is."""
    is_former = '"text_field"' in text or text.count('"max_attempts"') > 1  # a search has some too
    if kind is not JobSpec or not is_former:
        return text
    try:
        content = json.loads(text)
        return json.dumps(without_attempts(with_columns(content))) if isinstance(content, dict) else text
    except (ValueError, RecursionError, JobFileError):  # what is wrong with it is told below
        return text


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else "value"


class PathText(TypeDecorator[str]):
    """A path, which is kept without the home if it lies below it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Path to what is kept of it."""
        return None if value is None else places_of(dialect).kept(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """What is kept to the path as it can be opened here."""
        return None if value is None else places_of(dialect).found(value)


class _Known(TypeDecorator[Any]):
    """A type whose own reader gives up, in words of its own, at what it does not know."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """As SQLAlchemy reads it, or an UnreadableError."""
        read = super().result_processor(dialect, coltype)
        if read is None:
            return None

        def known(value: Any) -> Any:
            try:
                return read(value)
            except (LookupError, TypeError, ValueError) as error:
                raise UnreadableError(
                    f"the database holds {value!r}, where this OSE knows {self._expected()}"
                ) from error

        return known

    def _expected(self) -> str:
        raise NotImplementedError


class OneOf(_Known):
    """A member of a string enumeration, by its name."""

    impl = Enum
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__(kind, native_enum=False, length=16)
        self.kind = kind

    def _expected(self) -> str:
        return ", ".join(self.kind)


class UtcTime(_Known):
    """An aware time, stored as UTC also where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def _expected(self) -> str:
        return "times"

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Any zone to UTC.

        Raises:
            ValueError: The time has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the database knows to aware UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def failure_columns() -> list[Column[Any]]:
    """A FailureReport in columns of its own, so that failures can be counted by code."""
    return [
        Column("failure_code", String(64)),
        Column("failure_message", Text),
        Column("failure_traceback", Text),
        Column("failure_is_retryable", Boolean),
    ]
