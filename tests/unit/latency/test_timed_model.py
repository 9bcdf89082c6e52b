import json
from dataclasses import replace
from pathlib import Path

import pytest
from builders import architecture
from saved_models import saved, saving
from searches import facts_of

from ose.core.measurement import LatencyProtocol
from ose.errors import StorageError, TeacherError
from ose.latency.timed_model import save_timed_model
from ose.runtimes.torch.engine import ENGINE

PROTOCOL = LatencyProtocol(sequence_length=16)
SHAPE = architecture(1, 2, 16, 24)


@pytest.mark.parametrize(("is_teacher", "depth"), [(False, 1), (True, 4)])
def test_the_encoder_of_the_student_or_of_the_teacher_is_saved(
    is_teacher: bool, depth: int, tiny_roberta: Path, tmp_path: Path
) -> None:
    request = saved(tmp_path / "model", facts_of(tiny_roberta), SHAPE, PROTOCOL, is_teacher=is_teacher)
    encoder = ENGINE.open(Path(request.reference.folder), PROTOCOL)._module
    assert type(encoder).__name__ == "RobertaModel" and encoder.pooler is None
    assert len(encoder.encoder.layer) == depth
    assert all(parameter.abs().max() > 0 for parameter in encoder.parameters())


def test_neither_the_teachers_weights_are_needed_nor_any_saved(tiny_roberta: Path, tmp_path: Path) -> None:
    config = (tiny_roberta / "config.json").read_text()
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "config.json").write_text(config)
    facts = replace(facts_of(tiny_roberta), path=str(tmp_path / "teacher"))
    saved(tmp_path / "model", facts, SHAPE, PROTOCOL, is_teacher=True)
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["config.json", "ose_model.json"]
    assert (
        json.loads((tmp_path / "model" / "config.json").read_text())["hidden_size"] == json.loads(config)["hidden_size"]
    )


def test_a_teacher_that_is_gone_is_told(tiny_roberta: Path, tmp_path: Path) -> None:
    lost = replace(facts_of(tiny_roberta), path=str(tmp_path / "nowhere"))
    with pytest.raises(TeacherError, match="nowhere"):
        save_timed_model(saving(tmp_path / "model", lost, SHAPE, PROTOCOL))
    assert not (tmp_path / "model").exists()


def test_a_place_that_takes_no_files_is_told(tiny_roberta: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        save_timed_model(saving(tmp_path / "file" / "model", facts_of(tiny_roberta), SHAPE, PROTOCOL))
