from pathlib import Path

import pytest

from ose.errors import TeacherError
from ose.inputs.weight_formats import format_of, refuse_beginning, refuse_folder
from ose.tasks.teacher_folder import TeacherFolder


@pytest.mark.parametrize(
    ("beginning", "told"),
    [
        (b"GGUF\x03\x00", "a GGUF file"),
        (b"PK\x03\x04\x00", "a pickle, which may run any code"),
        (b"\x80\x02}q\x00", "a pickle"),
        (b"\x89HDF\r\n", "a file of TensorFlow or Flax"),
        (b"version https://git-lfs.github.com", "git lfs pull"),
    ],
)
def test_a_file_is_known_by_its_first_bytes(beginning: bytes, told: str) -> None:
    with pytest.raises(TeacherError, match=r"^/mine/model\.safetensors is ") as refused:
        refuse_beginning(beginning, Path("/mine/model.safetensors"))
    assert told in str(refused.value)
    refuse_beginning(b"\x10\x00\x00\x00\x00\x00\x00\x00{", Path("/mine/model.safetensors"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model-Q4_K_M.gguf", "a GGUF file"),
        ("pytorch_model-00001-of-00002.bin", "AutoModelForSequenceClassification.from_pretrained(DIR)"),
        ("model.onnx", "an ONNX graph"),
        ("flax_model.msgpack", "TensorFlow or Flax"),
        ("model.tflite", "a graph for phones"),
        ("encoder.safetensors", "no model.safetensors and no index; give it that name"),
        ("notes.md", "has no model.safetensors"),
    ],
)
def test_a_folder_is_known_by_what_lies_in_it(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(TeacherError) as refused:
        refuse_folder(TeacherFolder(tmp_path), "text_classification")
    assert told in str(refused.value) and str(tmp_path) in str(refused.value)


def test_a_file_in_the_place_of_a_folder_is_known_by_its_name() -> None:
    assert "ONNX graph" in (format_of(Path("model.onnx")) or "") and format_of(Path("config.json")) is None
