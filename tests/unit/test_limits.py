"""Limits come from the environment, and a wrong one is a line."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ose.errors import InvalidInputError
from ose.limits import OperatorLimits, operator_limits, setting_of


def test_every_limit_says_what_it_bounds_and_has_a_default_that_it_allows() -> None:
    for limit in fields(OperatorLimits):
        assert limit.metadata["bounds"] and limit.default >= limit.metadata["least"]
    assert operator_limits() == OperatorLimits()


def test_a_limit_is_what_the_environment_says_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting_of("max_body_bytes"), "2000")
    monkeypatch.setenv("OSE_MAX_WAIT_S", "0.5")
    assert (operator_limits().max_body_bytes, operator_limits().max_wait_s) == (2000, 0.5)


@pytest.mark.parametrize("value", ["many", "-1", "", "1e999", "1.5", "nan", "9" * 5000])
def test_a_limit_that_cannot_be_is_one_line_with_its_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OSE_MAX_BODY_BYTES", value)
    with pytest.raises(InvalidInputError, match="OSE_MAX_BODY_BYTES") as refusal:
        operator_limits()
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 200


@pytest.mark.parametrize("value", ["nan", "inf", "-0.5", "0"])
def test_seconds_are_finite_and_some(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OSE_MAX_HEAD_S", value)
    with pytest.raises(InvalidInputError, match="OSE_MAX_HEAD_S must be a number of at least"):
        operator_limits()
