"""Small files and modest numbers that ask for much memory: a real server and real commands stay small, and say no.

Tests ose/artifacts/bounded.py, ose/inputs/job_memory.py and ose/tasks/few_tensors.py too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hostile_files as hostile
import httpx2
import psutil
import pytest
from peaks import Peak, watching
from processes import eventually, ose

from ose.core.spec import Columns
from ose.data.tables import iter_rows
from ose.errors import CorpusError

MOST_BYTES = 600_000_000
"""Of a server or a command that reads a hostile file; each takes 100 to 200 MB for itself."""

WITHIN_S = 60
"""On a busy machine; alone it is a second."""

JOB_MEMORY = {"OSE_MAX_JOB_MEMORY_BYTES": "4000000000"}


def attack(make: Any, fault: str, how: str = "as found", says: str = "OSE_MAX_") -> Any:
    mark = pytest.mark.attack(door="memory", fault=fault, how=how)
    name = f"{getattr(make, '__name__', make)}-{how}".replace(" ", "-")
    return pytest.param(make, says, marks=mark, id=name)


PARQUET, ARCHIVE, LINE = "a parquet of 505 bytes takes 3.1 GB", "a gzip of 2.9 MB takes 2.8 GB", "a line of 20 MB"
HEADER, YAML = "a safetensors header of 99 MB takes 1 GB", "YAML merge keys take minutes"
JOB = "a job over the machine's memory is killed"

TEXTS = [
    attack(hostile.parquet_page, PARQUET),
    attack(hostile.parquet_lie, PARQUET, "a footer that lies about it"),
    attack(hostile.parquet_lists, PARQUET, "a list for a text", says="must hold text"),
    attack(hostile.parquet_nulls, PARQUET, "rows without text"),
    attack(hostile.packed_line(".gz"), ARCHIVE),
    attack(hostile.packed_line(".xz"), ARCHIVE, "xz"),
    attack(hostile.packed_line(".zst"), ARCHIVE, "zst, frames in a row"),
    attack(hostile.packed_blanks, ARCHIVE, "lines without text, JSONL"),
    attack(hostile.text_line, LINE),
    attack(hostile.json_line, LINE, "JSONL"),
    attack(hostile.utf16_line, LINE, "UTF-16", says="UTF-8|OSE_MAX_"),
    attack(hostile.nested_json, LINE, "brackets in JSONL", says="JSON"),
    attack(hostile.csv_open_quote, LINE, "of a quote in CSV that is not closed", says="a cell has more than 131,072"),
    attack(hostile.csv_cell, LINE, "a cell of CSV"),
    attack(hostile.csv_commas, LINE, "commas alone", says="OSE_MAX_LINE_BYTES"),
    attack(hostile.csv_nulls, LINE, "null bytes in CSV", says="131,072 characters"),
    attack(hostile.tsv_tabs, LINE, "tabs alone", says="more than 10,000 columns|quotes"),
    attack(hostile.tsv_lines, LINE, "blank lines in TSV", says="set corpus.quotes"),
    attack(hostile.json_object, LINE, "an object of a JSON array"),
    attack(hostile.json_zeros, LINE, "a JSON array of 100,000,000 zeros", says="row 1: must hold a JSON object"),
    attack(hostile.json_brackets, LINE, "brackets alone", says="row 1: must hold a JSON object"),
    attack(hostile.json_nested, LINE, "brackets in an array's object", says="JSON"),
    attack(hostile.packed_csv, ARCHIVE, "a cell of CSV without end", says="a cell has more than 131,072"),
    attack(hostile.packed_json, ARCHIVE, "blanks in a JSON array"),
]
TEACHERS = [
    attack(hostile.long_header, HEADER),
    attack(hostile.long_shard_header, HEADER, "of a shard"),
    attack(hostile.long_index, HEADER, "index.json of lists"),
    attack(hostile.many_values("tokenizer.json"), HEADER, "tokenizer.json of lists"),
    attack(hostile.many_values("config.json"), HEADER, "config.json of lists"),
    attack(hostile.many_values("tokenizer_config.json"), HEADER, "tokenizer_config.json of lists"),
    attack(hostile.many_labels, HEADER, "a number of labels in config.json"),
    attack(hostile.renamed_labels, HEADER, "a number of labels under another name", says="attribute_map"),
    attack(hostile.many_layers(10**9), HEADER, "a number of layers in config.json", says="at most 1,000"),
    attack(hostile.many_layers(1_000), HEADER, "more layers in config.json than tensors", says="tensors"),
]


@dataclass(frozen=True)
class Server:
    """A real server, and its folder of teachers and texts."""

    url: str
    pid: int
    data: Path

    def submit(self, **parts: Any) -> tuple[httpx2.Response, Peak]:
        with watching(self.pid) as peak:
            answer = httpx2.post(f"{self.url}/api/v1/jobs", json=job(**parts), timeout=WITHIN_S)
        assert httpx2.get(f"{self.url}/healthz", timeout=WITHIN_S).status_code == 200
        return answer, peak


def job(**parts: Any) -> dict[str, Any]:
    axes = {"num_hidden_layers": [1, 2], "num_attention_heads": [4], "hidden_size": [16], "intermediate_size": [64]}
    corpus = {"train": ["good.txt"], "sequence_length": 16, **parts.pop("corpus", {})}
    latency = {"sequence_length": 16, "seconds_per_shape": 0.01}
    return {"name": "a", "teacher": {"model": "good"}, "corpus": corpus, "space": axes, "latency": latency, **parts}


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """A server in a process of its own; its URL and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("serve", "--port", str(port), "--data-root", str(folder / "data"))
    with ose(folder / "home", *words, more=JOB_MEMORY) as run:
        url = f"http://127.0.0.1:{port}"
        assert eventually(lambda: answers(url), within_s=WITHIN_S)
        yield url, run.pid


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthz").status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_roberta: Path, real_text: list[str]) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("memory")
    shutil.copytree(tiny_roberta, folder / "data" / "good")
    (folder / "data" / "good.txt").write_text("\n".join(" ".join(document.split()) for document in real_text))
    with serving(folder) as (url, pid):
        yield Server(url, pid, folder / "data")


@pytest.fixture(autouse=True)
def cleaned(server: Server) -> Iterator[None]:
    yield
    for path in server.data.glob("bad*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def require_refusal(answer: httpx2.Response, peak: Peak, says: str) -> None:
    assert answer.status_code == 422, answer.text
    assert re.search(says, answer.json()["detail"]) and "\n" not in answer.json()["detail"]
    assert peak.num_bytes < MOST_BYTES


@pytest.mark.parametrize(("make", "says"), TEXTS)
def test_a_server_stays_small_on_a_hostile_text(server: Server, make: hostile.Maker, says: str) -> None:
    make(server.data)
    answer, peak = server.submit(corpus={"train": [next(server.data.glob("bad*")).name]})
    require_refusal(answer, peak, says)


@pytest.mark.attack(door="memory", fault=PARQUET, how="one value for 100,000 rows")
def test_a_value_that_all_rows_have_is_read_in_small_batches(server: Server) -> None:
    hostile.parquet_dictionary(server.data)
    answer, peak = server.submit(corpus={"train": ["bad.parquet"]})
    assert answer.status_code == 201 and peak.num_bytes < MOST_BYTES


@pytest.mark.attack(door="memory", fault=PARQUET, how="a row with labels without end")
def test_a_row_has_so_many_labels_at_most(tmp_path: Path) -> None:
    hostile.parquet_labels(tmp_path)
    path = tmp_path / "bad.parquet"
    assert path.stat().st_size < 100_000
    before = psutil.Process().memory_info().rss
    with watching(os.getpid()) as peak, pytest.raises(CorpusError, match="'label' has more than 20,000,000 values"):
        next(iter_rows([str(path)], Columns(label="label")))
    assert peak.num_bytes - before < 100_000_000


@pytest.mark.parametrize(("make", "says"), TEACHERS)
def test_a_server_stays_small_on_a_hostile_teacher(
    server: Server, tiny_roberta: Path, make: hostile.Maker, says: str
) -> None:
    hostile.teacher_copy(tiny_roberta, server.data)
    make(server.data)
    answer, peak = server.submit(teacher={"model": "bad"})
    require_refusal(answer, peak, says)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        attack({"workers": {"count": 12}}, JOB, "workers", says=r"about \d+\.\d GB.*OSE_MAX_JOB.*workers.count: \d"),
        attack(
            {"search": {"hyperparameters": [{"batch_size": 60_000}], "steps": 1}},
            JOB, "a batch", says=r"about \d+\.\d GB.*OSE_MAX_JOB.*batch_size: \d{2}",
        ),
    ],
)  # fmt: skip
def test_a_job_over_the_memory_is_refused_with_what_fits(server: Server, parts: dict[str, Any], says: str) -> None:
    answer, peak = server.submit(**parts)
    require_refusal(answer, peak, says)


@pytest.mark.attack(door="memory", fault=JOB, how="as found: a vocabulary of 250,002, batch 32 x 128")
def test_a_large_vocabulary_counts_at_the_masked_positions(server: Server, tiny_roberta: Path) -> None:
    hostile.teacher_copy(tiny_roberta, server.data)
    save_wide_teacher(server.data / "bad")
    answer, _ = server.submit(teacher={"model": "bad"}, corpus={"sequence_length": 128})
    assert answer.status_code == 201, answer.text


def save_wide_teacher(folder: Path) -> None:
    import torch
    from transformers import RobertaConfig, RobertaForMaskedLM

    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 16, "intermediate_size": 64}
    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=250_002, max_position_embeddings=130, type_vocab_size=1, pad_token_id=1, **shape)
    RobertaForMaskedLM(config).save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": 128}))


def command(home: Path, *words: str, within_s: float = WITHIN_S) -> tuple[int, str, Peak, float]:
    started = time.monotonic()
    with ose(home, *words) as run, watching(run.pid) as peak:
        said = run.communicate(timeout=within_s)
    return run.returncode, said[1], peak, time.monotonic() - started


@pytest.mark.parametrize(
    ("words", "content"),
    [
        pytest.param(("job", "submit"), hostile.merge_keys(),
                     marks=pytest.mark.attack(door="memory", fault=YAML, how="as found")),
        pytest.param(("space", "show"), hostile.aliases(),
                     marks=pytest.mark.attack(door="memory", fault=YAML, how="aliases in a search space")),
        pytest.param(("job", "run"), "a: " + "[" * 100_000,
                     marks=pytest.mark.attack(door="memory", fault=YAML, how="brackets in brackets")),
        pytest.param(("job", "submit"), "a: 0x" + "f" * 150_000,
                     marks=pytest.mark.attack(door="memory", fault=YAML, how="a number of 150,000 digits")),
        pytest.param(("job", "submit"), "# " * 150_000 + "\na: 1",
                     marks=pytest.mark.attack(door="memory", fault=YAML, how="a comment longer than any job")),
    ],
    ids=["merge-keys", "aliases", "brackets", "digits", "comment"],
)  # fmt: skip
def test_yaml_that_unfolds_is_one_line(tmp_path: Path, words: tuple[str, ...], content: str) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(content)
    status, said, peak, seconds = command(tmp_path / "home", *words, str(file))
    assert status == 2 and len(said.strip().splitlines()) <= 3, said
    assert peak.num_bytes < MOST_BYTES and seconds < WITHIN_S


@pytest.mark.attack(door="memory", fault=HEADER, how="an export that is handed to ose latency")
def test_a_folder_to_be_timed_is_bounded_too(tmp_path: Path, tiny_roberta: Path) -> None:
    hostile.teacher_copy(tiny_roberta, tmp_path)
    hostile.long_header(tmp_path)
    quickly = ("--sequence-length", "16", "--seconds-per-shape", "0.05")
    status, _, peak, _ = command(tmp_path / "home", "latency", str(tmp_path / "bad"), *quickly)
    assert status == 0  # its weights are not looked at
    assert peak.num_bytes < 2 * MOST_BYTES  # of two processes, one with torch


@pytest.mark.attack(door="memory", fault=HEADER, how="a number of a family's own in config.json that multiplies layers")
def test_a_model_is_built_of_so_many_tensors_at_most(tmp_path: Path, tiny_roberta: Path) -> None:
    from transformers import AlbertConfig, AlbertForMaskedLM

    hostile.teacher_copy(tiny_roberta, tmp_path)
    shape = {"hidden_size": 16, "embedding_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    AlbertForMaskedLM(AlbertConfig(vocab_size=1_000, num_hidden_layers=2, **shape)).save_pretrained(tmp_path / "bad")
    hostile.many_parts(tmp_path)
    status, said, peak, _ = command(tmp_path / "home", "latency", str(tmp_path / "bad"), "--sequence-length", "16")
    assert status == 2 and "OSE_MAX_TEACHER_TENSORS" in said, said
    assert peak.num_bytes < 2 * MOST_BYTES  # of two processes, one with torch


@pytest.mark.attack(door="memory", fault=ARCHIVE, how="a local job")
def test_a_local_job_is_bounded_too(tmp_path: Path, tiny_roberta: Path) -> None:
    hostile.packed_line(".xz")(tmp_path)
    file = tmp_path / "job.yaml"
    file.write_text(json.dumps(job(teacher={"model": str(tiny_roberta)}, corpus={"train": ["bad.txt.xz"]})))
    status, said, peak, _ = command(tmp_path / "home", "job", "submit", str(file))
    assert status == 2 and "OSE_MAX_LINE_BYTES" in said
    assert peak.num_bytes < MOST_BYTES


@pytest.mark.flood
@pytest.mark.attack(door="memory", fault=LINE, how="of 9.5 MB, below the limit, in a whole job")
def test_a_whole_job_on_a_long_document_stays_small(tmp_path: Path, tiny_roberta: Path, real_text: list[str]) -> None:
    (tmp_path / "held-out.txt").write_text("\n".join(" ".join(document.split()) for document in real_text))
    (tmp_path / "long.txt").write_bytes(b"word and word " * 680_000)
    corpus = {"train": ["long.txt"], "validation": ["held-out.txt"], "max_tokens": 20_000}
    file = tmp_path / "job.yaml"
    search = {"steps": 2, "held_out_sequences": 8, "initialization": "random"}
    file.write_text(json.dumps(job(teacher={"model": str(tiny_roberta)}, corpus=corpus, search=search)))
    status, said, peak, _ = command(tmp_path / "home", "job", "run", str(file), within_s=500)
    assert status == 0, said
    assert peak.num_bytes < 1_200_000_000


@pytest.mark.flood
@pytest.mark.attack(door="memory", fault=PARQUET, how="in a dataset as the hub has them")
def test_a_dataset_is_read_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ose.data.hub_dataset import DatasetId, iter_dataset

    monkeypatch.setenv("OSE_MAX_DATASET_BYTES", "1000000000")
    hostile.parquet_dictionary(tmp_path)
    with watching(os.getpid()), pytest.raises(CorpusError, match="OSE_MAX_DATASET_BYTES"):
        next(iter_dataset(DatasetId(name=str(tmp_path)), ["text"]))
    assert "datasets" not in sys.modules
