"""Fields of a job and files of a teacher that became paths: out of the data folder, into pipes and devices.

Tests ose/inputs/path_sandbox.py too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from services import serving

from ose.api.dependencies import ServerOptions
from ose.core.job import JobStatus
from ose.workspace import Workspace

AS_FOUND = "as found"
SECRET = "a-secret-line"


def variant(fault: str, how: str, *values: Any, name: str | None = None) -> Any:
    return pytest.param(*values, marks=pytest.mark.attack(door="paths", fault=fault, how=how), id=name or how)


@pytest.fixture
def outside(tmp_path: Path, tiny_bert: Path) -> Path:
    """What is none of a caller's business: a whole teacher, and text."""
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "outside"))
    (folder / "secret.txt").write_text("".join(f"{SECRET} number {number}\n" for number in range(2_000)))
    vocabulary = json.loads((tiny_bert / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)))
    return folder


@pytest.fixture
def root(tmp_path: Path, tiny_bert: Path, real_text: list[str], outside: Path) -> Path:
    root = tmp_path / "data"
    shutil.copytree(tiny_bert, root / "teacher")
    (root / "text.txt").write_text("\n".join(document.replace("\n", " ") for document in real_text))
    return root


@pytest.fixture(scope="module")
def place_of_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for all tests, so that what checks submissions, which was told of it as it started, serves them all."""
    return tmp_path_factory.mktemp("hub") / "cache"


@pytest.fixture
def cache(place_of_cache: Path) -> Iterator[Path]:
    """The hub's cache, which is empty."""
    yield place_of_cache
    shutil.rmtree(place_of_cache, ignore_errors=True)


@pytest.fixture
def url(workspace: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[str]:
    """A server whose hub cannot be reached."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    with serving(workspace, ServerOptions(data_root=root)) as url:
        yield url


def job(**teacher: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "teacher": {"model": "teacher", **teacher},
        "corpus": {"train": ["text.txt"], "sequence_length": 16},
        "space": {
            "num_hidden_layers": [1],
            "num_attention_heads": [4],
            "hidden_size": [16],
            "intermediate_size": [64],
        },
        "search": {"steps": 1, "held_out_sequences": 8, "initialization": "random"},
        "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
    }


def submitted(url: str, content: dict[str, Any]) -> httpx2.Response:
    return httpx2.post(f"{url}/api/v1/jobs", json=content, timeout=20)


def refusal(url: str, content: dict[str, Any]) -> str:
    answer = submitted(url, content)
    assert answer.status_code == 422, answer.text
    detail = str(answer.json()["detail"])
    assert len(detail.splitlines()) == 1 and SECRET not in detail
    return detail


def edit(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | changes))


REVISION = "a revision is read as a path"


@pytest.mark.parametrize(
    "revision",
    [
        variant(REVISION, AS_FOUND, "/dev/zero", name="a device"),
        variant(REVISION, AS_FOUND, "{root}/pipe", name="a pipe"),
        variant(REVISION, AS_FOUND, "{root}/names-a-folder.txt", name="a text that names a folder"),
        variant(REVISION, "relative to the cache", "{from_cache}/names-a-folder.txt"),
        variant(REVISION, "in the middle of a name", "refs/../../../../data/pipe"),
        variant(REVISION, "a control character", "main\n"),
        variant(REVISION, "a name without end", "a" * 5_000),
    ],
)
def test_a_revision_is_no_path(url: str, root: Path, outside: Path, cache: Path, revision: str) -> None:
    os.mkfifo(root / "pipe")
    (root / "names-a-folder.txt").write_text(str(outside))
    from_cache = os.path.relpath(root, cache / "models--owner--tiny" / "refs")
    detail = refusal(url, job(model="owner/tiny", revision=revision.format(root=root, from_cache=from_cache)))
    assert "teacher.revision must be a commit, tag or branch" in detail


@pytest.mark.attack(door="paths", fault=REVISION, how="what the hub's cache itself says leads out")
def test_a_cache_that_leads_out_is_refused(url: str, outside: Path, cache: Path) -> None:
    refs = cache / "models--owner--tiny" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(str(outside))
    assert "leads out" in refusal(url, job(model="owner/tiny"))


@pytest.mark.parametrize(
    "name",
    [
        variant(REVISION, "of a dataset", "hf:owner/data@.."),
        variant(REVISION, "a dataset's configuration", "hf:owner/data/.."),
        variant(REVISION, "a dataset's split", "hf:owner/data:.."),
    ],
)
def test_a_datasets_id_has_no_part_that_leads_out(url: str, name: str) -> None:
    content = job()
    content["corpus"]["train"] = [name]
    assert "is no dataset id" in refusal(url, content)


LINKS = "a teacher's file leads out of the data folder"


@pytest.mark.parametrize(
    "name",
    [
        variant(LINKS, AS_FOUND, "vocab.txt"),
        variant(LINKS, "the tokenizer itself", "tokenizer.json"),
        variant(LINKS, "its settings", "tokenizer_config.json"),
        variant(LINKS, "its special tokens", "special_tokens_map.json"),
        variant(LINKS, "what was added to it", "added_tokens.json"),
        variant(LINKS, "the model's settings", "config.json"),
        variant(LINKS, "the weights", "model.safetensors"),
    ],
)
def test_no_file_of_a_teacher_is_a_link_out(url: str, root: Path, outside: Path, name: str) -> None:
    (root / "teacher" / name).unlink(missing_ok=True)
    if name == "vocab.txt":
        (root / "teacher" / "tokenizer.json").unlink()
    (root / "teacher" / name).symlink_to(outside / name)
    assert f"{name} cannot be read: it leads out" in refusal(url, job())


@pytest.mark.attack(door="paths", fault=LINKS, how="whether there is something outside is not told")
def test_nothing_tells_what_is_outside(url: str, root: Path, outside: Path) -> None:
    def answer(target: Path) -> str:
        (root / "teacher" / "vocab.txt").unlink(missing_ok=True)
        (root / "teacher" / "vocab.txt").symlink_to(target)
        return refusal(url, job())

    assert answer(outside / "secret.txt") == answer(outside / "nothing.txt")


PIPES = "a pipe or a device keeps the reader for ever"


@pytest.mark.parametrize(
    "name",
    [
        variant(PIPES, "as a vocabulary", "vocab.txt"),
        variant(PIPES, "as settings", "config.json"),
        variant(PIPES, "as an index of weights", "model.safetensors.index.json"),
        variant(PIPES, "as weights", "model.safetensors"),
        variant(PIPES, "as added tokens", "added_tokens.json"),
    ],
)
def test_a_pipe_is_no_file_of_a_teacher(url: str, root: Path, name: str) -> None:
    if name.endswith(".index.json"):
        (root / "teacher" / "model.safetensors").unlink()
    (root / "teacher" / name).unlink(missing_ok=True)
    os.mkfifo(root / "teacher" / name)
    assert f"{name} cannot be read: it is no file but a pipe" in refusal(url, job())


INDEX = "an index of weights names a file elsewhere"


@pytest.mark.parametrize(
    "shard",
    [
        variant(INDEX, AS_FOUND, "../../outside/x.safetensors"),
        variant(INDEX, "an absolute name", "{outside}/x.safetensors"),
        variant(INDEX, "a folder of the teacher's own", "deep/x.safetensors"),
        variant(INDEX, "no weights at all", "vocab.txt"),
    ],
)
def test_an_index_names_files_beside_it(url: str, root: Path, outside: Path, shard: str) -> None:
    teacher = root / "teacher"
    (outside / "model.safetensors").rename(outside / "x.safetensors")
    (teacher / "model.safetensors").rename(teacher / "x.safetensors")  # what the name's last part stands for is there
    shutil.copytree(outside, teacher / "deep")
    weight_map = {"cls.predictions.bias": shard.format(outside=outside)}
    edit(teacher / "model.safetensors.index.json", metadata={}, weight_map=weight_map)
    assert "is no file of safetensors beside it" in refusal(url, job())


CODE = "a teacher's settings fetch code or a kernel"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        variant(CODE, AS_FOUND, "config.json", {"_attn_implementation": "kernels-community/flash-attn2"}),
        variant(CODE, "a function of a kernel", "config.json", {"attn_implementation": "owner/kernel@v1:attend"}),
        variant(CODE, "for a part", "config.json", {"attn_implementation": {"": "eager", "text_config": "owner/x"}}),
        variant(CODE, "in a part", "config.json", {"text_config": {"_attn_implementation": "owner/kernel"}}),
        variant(CODE, "under its inner name", "config.json", {"_attn_implementation_internal": "owner/kernel"}),
        variant(CODE, "a word that stands for a kernel", "config.json", {"_attn_implementation": "flash_attention_2"}),
        variant(
            CODE, "under another name", "config.json", {"attribute_map": {"a": "_attn_implementation"}, "a": "flex"}
        ),
        variant(CODE, "of experts", "config.json", {"experts_implementation": "owner/kernel"}),
        variant(CODE, "a quantizer", "config.json", {"quantization_config": {"quant_method": "mxfp4"}}),
        variant(CODE, "of the tokenizer", "tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a.B", None]}}),
        variant(CODE, "a class by its path", "tokenizer_config.json", {"tokenizer_class": "owner/code--a.B"}),
        variant(CODE, "a library's options", "tokenizer_config.json", {"sp_model_kwargs": {"model_file": "/etc/x"}}),
    ],
)
def test_settings_that_need_more_are_refused(url: str, root: Path, name: str, changes: dict[str, Any]) -> None:
    edit(root / "teacher" / name, **changes)
    assert name in refusal(url, job())


GLOBS = "a pattern follows links out of the data folder"


@pytest.fixture
def linked(root: Path, outside: Path) -> Path:
    """The data folder with links that somebody put there: out of it, in a circle, and to nothing."""
    (root / "mine").mkdir()
    (root / "mine" / "a.txt").write_text("my own text, which fills some sequences\n" * 9)
    (root / "link").symlink_to(outside)
    (root / "one.txt").symlink_to(outside / "secret.txt")
    (root / "hop").symlink_to("link")
    (root / "mine" / "round").symlink_to(root / "mine")
    (root / "gone.txt").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe.txt")
    (root / "teacher" / "vocab.txt").unlink(missing_ok=True)
    return root


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        variant(GLOBS, AS_FOUND, "**/*.txt", ["mine/a.txt", "text.txt"]),
        variant(GLOBS, AS_FOUND, "*.txt", ["text.txt"], name="as found, beside it"),
        variant(GLOBS, "a folder in the middle", "*/*.txt", ["mine/a.txt"]),
        variant(GLOBS, "a folder in a circle", "mine/round/r*/round/*", ["mine/a.txt"]),
        variant(GLOBS, "everything below", "mine/**", ["mine/a.txt"]),
    ],
)
def test_a_foreign_link_neither_tells_nor_spoils(url: str, linked: Path, pattern: str, found: list[str]) -> None:
    content = job()
    content["corpus"]["train"] = [pattern]
    answer = submitted(url, content)
    assert answer.status_code == 201, answer.text
    assert answer.json()["corpus"]["train"] == [str(linked / name) for name in found]


@pytest.mark.parametrize(
    "pattern",
    [
        variant(GLOBS, "a link to a link", "hop/*.txt"),
        variant(GLOBS, "a link to one file", "on[e].txt"),
        variant(GLOBS, "a name outside, guessed", "*/secret.txt"),
    ],
)
def test_what_is_outside_matches_nothing(url: str, linked: Path, pattern: str) -> None:
    content = job()
    content["corpus"]["train"] = [pattern]
    assert refusal(url, content).endswith("matches no file in the server's data folder")


@pytest.fixture
def few_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before the server begins."""
    monkeypatch.setenv("OSE_MAX_PATTERN_ENTRIES", "200")


@pytest.mark.attack(door="paths", fault="a pattern looks without end", how="as found")
def test_a_pattern_looks_at_a_bounded_number_of_entries(few_entries: None, url: str, root: Path) -> None:
    (root / "many").mkdir()
    for number in range(150):
        (root / "many" / f"{number}.log").touch()
    content = job()
    content["corpus"]["train"] = ["many/*.txt"]
    assert "matches no file" in refusal(url, content)
    content["corpus"]["train"] = ["**/*.txt", "many/*.log"]
    assert "OSE_MAX_PATTERN_ENTRIES" in refusal(url, content)


@pytest.mark.attack(door="paths", fault="a pattern looks without end", how="names with brackets, one after the other")
def test_the_bound_is_for_all_patterns_of_a_job(few_entries: None, url: str, root: Path) -> None:
    content = job()
    content["corpus"]["train"] = ["t[e]xt.txt"] * 300
    assert "OSE_MAX_PATTERN_ENTRIES" in refusal(url, content)


TEXTS = "a text of a corpus is no file"


@pytest.mark.parametrize(
    "name",
    [
        variant(TEXTS, "a pipe", "pipe"),
        variant(TEXTS, "a folder", "teacher"),
        variant(TEXTS, "a link to a device", "zero"),
        variant(TEXTS, "a link to a process's own files", "environ"),
    ],
)
def test_a_text_is_a_file_in_the_folder(url: str, root: Path, name: str) -> None:
    os.mkfifo(root / "pipe")
    (root / "zero").symlink_to("/dev/zero")
    (root / "environ").symlink_to("/proc/self/environ")
    content = job()
    content["corpus"]["train"] = [name]
    refusal(url, content)


SWAPPED = "what was checked is replaced before it is loaded"


@pytest.mark.parametrize(
    ("name", "replacement", "message"),
    [
        variant(SWAPPED, "a tokenizer by a link out", "teacher/tokenizer.json", "tokenizer.json", "is not the teacher"),
        variant(SWAPPED, "a text by a link out", "text.txt", "secret.txt", "it leads out"),
        variant(SWAPPED, "a text by a pipe", "text.txt", None, "it is no file but a pipe"),
    ],
)
def test_a_job_loads_what_was_checked(
    url: str, workspace: Workspace, root: Path, outside: Path, name: str, replacement: str | None, message: str
) -> None:
    answer = submitted(url, job())
    assert answer.status_code == 201, answer.text
    (root / name).unlink()
    edit(outside / "tokenizer.json")  # the same one, written otherwise
    if replacement is None:
        os.mkfifo(root / name)
    else:
        (root / name).symlink_to(outside / replacement)
    ended = workspace.run(answer.json()["id"])
    assert ended.status is JobStatus.FAILED
    assert ended.failure is not None and message in ended.failure.message and SECRET not in ended.failure.message


@pytest.mark.attack(door="paths", fault=LINKS, how="links as a hub's cache has them, which are fine")
def test_a_teacher_in_the_layout_of_a_hubs_cache_is_used(url: str, workspace: Workspace, root: Path) -> None:
    blobs, snapshot = root / "hub" / "blobs", root / "hub" / "snapshots" / ("0" * 40)
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted((root / "teacher").iterdir())):
        file.rename(blobs / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    answer = submitted(url, job(model=str(snapshot.relative_to(root))))
    assert answer.status_code == 201, answer.text
    assert workspace.run(answer.json()["id"]).status is JobStatus.SUCCEEDED


def ose(tmp_path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OSE_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "ose", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "attack",
    [
        variant(PIPES, "a local teacher's vocabulary", "vocabulary"),
        variant(REVISION, "in a local job file", "revision"),
        variant(CODE, "a local teacher's kernel", "kernel"),
        variant(TEXTS, "a local text", "text"),
    ],
)
def test_local_jobs_are_refused_in_one_line(root: Path, tmp_path: Path, attack: str) -> None:
    content = job(model=str(root / "teacher"))
    content["corpus"]["train"] = [str(root / "text.txt")]
    if attack == "revision":
        content["teacher"] = {"model": "owner/tiny", "revision": "/dev/zero"}
    elif attack == "text":
        content["corpus"]["train"] = ["/dev/zero"]
    elif attack == "kernel":
        edit(root / "teacher" / "config.json", _attn_implementation="owner/kernel")
    else:
        os.mkfifo(root / "teacher" / "vocab.txt")
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    done = ose(tmp_path, "job", "submit", tmp_path / "job.yaml")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr


@pytest.mark.attack(door="paths", fault=PIPES, how="ose latency on a folder with one")
def test_latency_is_not_measured_of_a_pipe(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "teacher" / "added_tokens.json")
    done = ose(tmp_path, "latency", root / "teacher")
    assert done.returncode == 2 and "is no file but a pipe" in done.stderr
