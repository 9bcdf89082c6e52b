"""Limits come from the environment, and a wrong one is a line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

from ose.data.documents import iter_documents
from ose.data.hub_dataset import DatasetId, iter_dataset
from ose.errors import SettingError
from ose.inputs.teacher_config import read_config
from ose.inputs.yaml_text import read_mapping
from ose.limits import OperatorLimits, operator_limits, setting_of
from ose.tasks.teacher_folder import TeacherFolder


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
    with pytest.raises(SettingError, match="OSE_MAX_BODY_BYTES") as refusal:
        operator_limits()
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 200


def _job_file(folder: Path) -> Any:
    (folder / "job.yaml").write_text("name: x")
    return read_mapping(folder / "job.yaml")


def _teacher(folder: Path) -> Any:
    (folder / "config.json").write_text('{"model_type": "bert"}')
    return read_config(TeacherFolder(folder))


def _text(folder: Path) -> Any:
    (folder / "text.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x"}'))
    return list(iter_documents([str(folder / "text.jsonl.gz")], "text"))


def _dataset(folder: Path) -> Any:
    return [record.values["text"] for record in iter_dataset(DatasetId(name=str(folder)), ["text"])]


@pytest.mark.parametrize("read", [_job_file, _teacher, _text, pytest.param(_dataset, marks=pytest.mark.processes)])
@pytest.mark.parametrize("limit", fields(OperatorLimits)[::7], ids=lambda limit: limit.name)
def test_a_wrong_setting_is_told_by_its_name_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Callable[[Path], Any], limit: Field[Any]
) -> None:
    """Not behind the name of the file that was read when it was needed."""
    name = setting_of(limit.name)
    monkeypatch.setenv(name, "many")
    with pytest.raises(SettingError, match=f"^{name} must be a (whole )?number of at least .*'many'$"):
        read(tmp_path)


@pytest.mark.parametrize("value", ["nan", "inf", "-0.5", "0"])
def test_seconds_are_finite_and_some(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OSE_MAX_HEAD_S", value)
    with pytest.raises(SettingError, match="OSE_MAX_HEAD_S must be a number of at least"):
        operator_limits()
