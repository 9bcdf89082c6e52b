from dataclasses import asdict
from pathlib import Path

import builders

from ose.artifacts.intact import write_intact_json
from ose.core.measurement import TeacherCheck
from ose.tasks.stored_quality import read_quality

CHECK = TeacherCheck(name="accuracy", value=0.5, bound=0.4, is_passed=True, told="half are right")


def test_a_quality_is_read_as_it_was_written_and_older_ones_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "teacher.json"
    assert read_quality(file) is None
    quality = builders.teacher_quality(sequence_entropies_nats=(1.0, 2.0), checks=(CHECK,), doubts=("it says no",))
    write_intact_json(file, asdict(quality))
    assert read_quality(file) == quality
    for lacking in ("checks", "sequence_entropies_nats"):
        write_intact_json(file, {name: each for name, each in asdict(quality).items() if name != lacking})
        assert read_quality(file) is None
