"""Limits come from the environment, and a wrong one is a line."""

from __future__ import annotations

import pytest

from ose.errors import InvalidInputError
from ose.settings import OperatorLimits, operator_limits, setting_of


def test_every_limit_says_what_it_bounds_and_has_a_default_that_it_allows() -> None:
    for name, field in OperatorLimits.model_fields.items():
        assert field.description, name
    assert OperatorLimits.model_validate(operator_limits().model_dump()) == operator_limits()


def test_a_limit_is_what_the_environment_says_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting_of("max_body_bytes"), "2000")
    assert operator_limits().max_body_bytes == 2000


@pytest.mark.parametrize("value", ["many", "-1", "", "1e999"])
def test_a_limit_that_cannot_be_is_one_line_with_its_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OSE_MAX_BODY_BYTES", value)
    with pytest.raises(InvalidInputError, match="OSE_MAX_BODY_BYTES") as refusal:
        operator_limits()
    assert "\n" not in str(refusal.value)
