from dataclasses import replace
from pathlib import Path

import pytest
from builders import NOW, job_spec, teacher_facts

from ose.core.job import CorpusFacts, Job, JobStatus
from ose.core.spec import TeacherSpec
from ose.inputs.teacher_origin import base_model_of, licence_of


def job(folder: Path, model: str | None = None, root: Path | None = None) -> Job:
    facts = CorpusFacts(
        train=("text",), validation=(), digest="c" * 64, size_bytes=1, root=None if root is None else str(root)
    )
    return Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(teacher=TeacherSpec(model=model or str(folder))),
        spec_hash="5" * 64,
        teacher=replace(teacher_facts(), path=str(folder)),
        corpus=facts,
        created_at=NOW,
    )


def test_a_model_of_the_hub_is_named_and_a_folder_is_not(tmp_path: Path) -> None:
    cached = tmp_path / "models--owner--model" / "snapshots" / "abc"
    assert base_model_of(job(cached, "owner/model")) == "owner/model"
    assert base_model_of(job(tmp_path / "owner" / "model", "owner/model")) is None
    assert base_model_of(job(tmp_path)) is None


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [a]\n---\n# Model\n", "apache-2.0"),
        ("---\r\ntags: [a]\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("# Model\nlicense: mit\n", None),
        ("---\ntags: [a]\n---\nlicense: mit\n", None),
        ("---\nlicense: [x](http://e.vil)\n---\n", None),
        ("---\nlicense: mit", None),
        ("", None),
    ],
    ids=repr,
)
def test_the_licence_is_what_the_card_beside_the_weights_says(card: str, licence: str | None, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert licence_of(job(tmp_path)) == licence


def test_a_card_that_is_not_there_or_leads_out_of_the_root_tells_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert licence_of(job(root)) is None
    (tmp_path / "outside.md").write_text("---\nlicense: mit\n---\n")
    (root / "README.md").symlink_to(tmp_path / "outside.md")
    assert licence_of(job(root)) == "mit" and licence_of(job(root, root=root)) is None
