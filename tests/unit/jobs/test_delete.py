"""Which files go with a job: those that only it used, also after a crash, and never those of a job that is to come.

Tests ose/core/leftovers.py too.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import builders
import pytest
from builders import NOW
from fake_search import SPEC, Clock
from sqlalchemy import update

from ose.core.leftovers import Leftover
from ose.jobs.delete import delete_job, own_files, remove_leftovers, shared_files
from ose.store.base import Store
from ose.store.database import connect, open_store
from ose.store.tables import JOBS

LONGER = replace(SPEC, search=replace(SPEC.search, steps=20))
"""Other search data, the same calibration and text."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The folder of artifacts."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    return folder


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(open_store(store_url)) as store:
        yield store


def _add(store: Store, artifacts: Path, job_id: str, **changes: object) -> set[Path]:
    """A job with a file under each of its names; returns them."""
    job = store.add_job(builders.new_job(job_id, **changes))
    names = {*shared_files(job), *(name.replace("[0-9]*", "1-0a") for name in own_files(job_id))}
    for name in names:
        file = artifacts / name if Path(name).suffix else artifacts / name / "file"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(job_id)
    return _files(artifacts)


def _files(artifacts: Path) -> set[Path]:
    return {path for path in artifacts.rglob("*") if path.is_file()}


def test_all_files_of_a_job_that_is_alone_go(store: Store, files: Path) -> None:
    assert _add(store, files, "job-1")
    outside = files / "search-data" / "of-none"
    outside.mkdir()
    (outside / "file").write_text("not ours")
    deleted = delete_job(store, files, "job-1", Clock())
    assert deleted.id == "job-1" and _files(files) == {outside / "file"}


def test_what_a_waiting_job_will_use_stays_until_that_is_deleted(store: Store, files: Path) -> None:
    _add(store, files, "job-1")
    waiting = store.add_job(builders.new_job("job-2"))
    shared = {files / name for name in shared_files(waiting)}
    clock = Clock()
    delete_job(store, files, "job-1", clock)
    assert {path for path in shared if path.exists()} == shared
    assert not any(files.glob("distillations/*")) and not any(files.glob("exports/*"))
    delete_job(store, files, "job-2", clock)
    assert _files(files) == set()


def test_of_two_jobs_that_share_a_part_each_loses_its_own(store: Store, files: Path) -> None:
    _add(store, files, "job-1", spec=SPEC)
    _add(store, files, "job-2", spec=LONGER)
    own = shared_files(store.job("job-1")) - shared_files(store.job("job-2"))
    assert {name.split("/")[0] for name in own} == {"search-data", "checkpoints"}
    delete_job(store, files, "job-1", Clock())
    assert not any((files / name).exists() for name in own)
    assert all((files / name).exists() for name in shared_files(store.job("job-2")))
    assert (files / "distillations" / "job-2-1-0a" / "file").exists()


def test_a_job_whose_id_begins_alike_keeps_its_students(store: Store, files: Path) -> None:
    _add(store, files, "0a")
    _add(store, files, "0a1")
    delete_job(store, files, "0a1", Clock())
    assert [path.name for path in (files / "distillations").iterdir()] == ["0a-1-0a"]


def test_what_a_crash_after_the_rows_has_left_goes_with_the_next_deletion(store: Store, files: Path) -> None:
    _add(store, files, "job-1")
    job = store.job("job-1")
    names = [*((name, job.teacher.digest) for name in shared_files(job)), *((name, None) for name in own_files(job.id))]
    store.delete_job("job-1", [Leftover(name=name, teacher=teacher, since=NOW) for name, teacher in names], NOW)
    assert _files(files)
    store.add_job(builders.new_job("other", teacher=builders.teacher_facts(digest="e" * 64)))
    delete_job(store, files, "other", Clock())
    assert _files(files) == set()


def test_what_a_crash_in_the_middle_of_the_files_has_left_goes_too(store: Store, files: Path) -> None:
    _add(store, files, "job-1")
    half = files / "search-data" / ".a.0a1b2c3d.removed"
    half.mkdir()
    (half / "file").write_text("half removed")
    delete_job(store, files, "job-1", Clock())
    assert _files(files) == set() and not half.exists()


def test_late_writers_are_cleaned_up_after_for_an_hour(store: Store, files: Path) -> None:
    _add(store, files, "job-1")
    late = files / sorted(shared_files(store.job("job-1")))[-1]
    clock = Clock()
    delete_job(store, files, "job-1", clock)
    late.mkdir()
    (late / "file").write_text("late")
    remove_leftovers(store, files, clock() + timedelta(hours=1))
    assert not late.exists() and store.leftovers() == []


def test_files_that_an_unreadable_job_may_use_stay(store: Store, files: Path, store_url: str) -> None:
    made = _add(store, files, "job-1")
    store.add_job(builders.new_job("job-2"))
    with closing(connect(store_url)) as transactions, transactions.write() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == "job-2").values(spec={}))
    delete_job(store, files, "job-1", Clock())
    assert _files(files) == made and store.leftovers()


@pytest.mark.slow
def test_jobs_that_come_while_equal_ones_are_deleted_lose_nothing(store: Store, files: Path) -> None:
    clock = Clock()

    def come_and_go(number: int) -> bool:
        """Whether a job finds what it has made, for as long as it is there."""
        job = store.add_job(builders.new_job(f"job-{number}"))
        folders = [files / name for name in shared_files(job) if "." not in name]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / str(number)).write_text("made")
        kept = all((folder / str(number)).exists() for _ in range(50) for folder in folders)
        delete_job(store, files, job.id, clock)
        return kept

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(come_and_go, range(60)))
    assert _files(files) == set()
