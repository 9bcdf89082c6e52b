from pathlib import Path

import pytest
from events import read_curves
from limits import file_size_limit

from ose.errors import StorageError
from ose.training.tensorboard import ScalarLog


def test_curves_can_be_read_back(tmp_path: Path) -> None:
    with ScalarLog(tmp_path / "deep" / "logs") as log:
        for step in range(1, 30):
            log.write(step, {"loss": 1 / 2**step, "learning_rate": 0.5 * step})
    curves = read_curves(tmp_path / "deep" / "logs")
    assert curves["loss"] == {step: 1 / 2**step for step in range(1, 30)}
    assert curves["learning_rate"] == {step: 0.5 * step for step in range(1, 30)}


def test_a_point_is_on_disk_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with ScalarLog(tmp_path) as log:
        log.write(1, {"loss": 2.0})
        assert read_curves(tmp_path) == {"loss": {1: 2.0}}


def test_a_resumed_run_adds_to_the_curves_even_within_the_same_second(tmp_path: Path) -> None:
    for step in (1, 2):
        with ScalarLog(tmp_path) as log:
            log.write(step, {"loss": float(step)})
    assert read_curves(tmp_path) == {"loss": {1: 1.0, 2: 2.0}}


def test_a_full_disk_is_told_and_nobody_waits_for_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"), ScalarLog(tmp_path) as log, file_size_limit(2000):
        for step in range(1000):
            log.write(step, {"loss": 1.0})


def test_a_place_that_cannot_hold_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        ScalarLog(tmp_path / "file")
