"""Teachers of a hub that would fill the disk: their sizes are looked at before anything of them is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from floods import Answer, serving
from hubs import COMMIT, Hub, model_hub

SIZES = {"door": "hub", "fault": "a teacher of a hub is fetched whatever its size"}


@contextmanager
def answers(tmp_path: Path, teacher: Path, **told: int | None) -> Iterator[tuple[Hub, Answer]]:
    """What a server says to a job whose teacher is the hub's."""
    with ExitStack() as stack:
        hub = stack.enter_context(model_hub(teacher, {name.replace("__", "."): size for name, size in told.items()}))
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "text.txt").write_text("Some text for a search, of a few words.\n" * 2_000)
        more = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "cache"), "OSE_MAX_TEACHER_BYTES": str(10**9)}
        server = stack.enter_context(serving(tmp_path / "home", tmp_path / "data", more=more))
        yield hub, server.ask("POST", "/api/v1/jobs", JOB)


JOB: dict[str, Any] = {
    "name": "tiny",
    "teacher": {"model": "owner/model"},
    "corpus": {"train": ["text.txt"], "sequence_length": 16},
    "space": {"num_hidden_layers": [1], "num_attention_heads": [4], "hidden_size": [16], "intermediate_size": [64]},
    "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
}


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        pytest.param(
            {"model__safetensors": 10**13},
            "OSE_MAX_TEACHER_BYTES",
            marks=pytest.mark.attack(**SIZES, how="as found: weights of ten terabytes"),
        ),
        pytest.param(
            {f"model-{number}__safetensors": 10**8 for number in range(11)},
            "OSE_MAX_TEACHER_BYTES",
            marks=pytest.mark.attack(**SIZES, how="many files that are small enough each"),
        ),
        pytest.param(
            {"config__json": 10**8},
            "config.json has 100,000,000 bytes, more than the 64,000,000 that OSE_MAX_TEACHER_FILE_BYTES allows",
            marks=pytest.mark.attack(**SIZES, how="a configuration that would be refused when it is read"),
        ),
        pytest.param(
            {"model__safetensors": None},
            "does not say how large model.safetensors is",
            marks=pytest.mark.attack(**SIZES, how="weights of a size that the hub does not tell"),
        ),
    ],
    ids=["weights", "many", "configuration", "untold"],
)
def test_a_teacher_that_is_too_large_is_not_fetched(
    tmp_path: Path, tiny_bert: Path, told: dict[str, int | None], refusal: str
) -> None:
    with answers(tmp_path, tiny_bert, **told) as (hub, answer):
        assert answer.status == 422 and refusal in answer.problem["detail"], answer
        assert hub.fetched == [] and not list(tmp_path.glob("cache/**/blobs/*"))


def test_of_one_that_is_not_its_files_are_fetched_and_nothing_else(tmp_path: Path, tiny_bert: Path) -> None:
    with answers(tmp_path, tiny_bert, model__onnx=10**13, notes__json=10**13) as (hub, answer):
        assert answer.status == 201, answer
        read = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
        assert set(hub.fetched) == read
        assert {file.name for file in (tmp_path / "cache").glob(f"*/snapshots/{COMMIT}/*")} == read
