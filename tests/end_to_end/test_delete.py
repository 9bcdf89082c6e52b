"""`ose job delete`: a search, its student and its export go; what another job uses stays, and that one goes on."""

from __future__ import annotations

import json
from pathlib import Path

from ose.core.job import JobStatus
from ose.workspace import Workspace


def _files(workspace: Workspace) -> set[Path]:
    return {path for path in workspace.artifacts.rglob("*") if path.is_file()}


def test_jobs_are_deleted_with_the_files_that_only_they_used(ose, job, write, tmp_path: Path) -> None:
    file = write(job)
    assert ose("job", "run", file).status == 0
    first = json.loads(ose("job", "list", "--format", "json").out)[0]["id"]
    assert ose("distill", first).status == 0
    assert ose("coordinator", "--until-empty").status == 0  # it exports what is distilled
    with Workspace(tmp_path / "home") as workspace:
        [export] = workspace.store.exports(first)
        second = workspace.submit(file)
        before = _files(workspace)
        kinds = {path.relative_to(workspace.artifacts).parts[0] for path in before}
        assert kinds == {"search-data", "checkpoints", "anatomy", "packed-text", "distillations", "exports"}

        deleted = ose("job", "delete", first[:5])
        assert deleted.status == 0 and first in deleted.err
        shown = ose("job", "show", first)
        assert shown.status == 2 and "no job" in shown.complaint
        gone = before - _files(workspace)
        assert {path.relative_to(workspace.artifacts).parts[0] for path in gone} == {"distillations", "exports"}
        assert not Path(export.folder).exists()

        kept = {path: path.stat().st_mtime_ns for path in _files(workspace) if "search-data" in path.parts}
        assert workspace.run(second.id).status is JobStatus.SUCCEEDED
        assert {path: path.stat().st_mtime_ns for path in kept} == kept  # it has used what the first one made
        workspace.delete(second.id)
        assert _files(workspace) == set() and workspace.jobs() == []


def test_a_running_job_is_not_deleted(ose, job, tmp_path: Path) -> None:
    with Workspace(tmp_path / "home") as workspace:
        running = workspace.submit(job)
        now = workspace.store.now()
        assert workspace.store.claim_job(running.id, "elsewhere", now, now.replace(year=now.year + 1))
        refused = ose("job", "delete", running.id)
        assert refused.status == 2 and "cancel it first" in refused.complaint
        assert ose("job", "cancel", running.id).status == 0
        assert ose("job", "delete", running.id).status == 0
        assert workspace.jobs() == []
