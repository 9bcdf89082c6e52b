"""A classifier as teacher: what its job is told when it is submitted, and what is refused, here and over HTTP.

Tests ose/cli/jobs.py, ose/core/notes.py, ose/inputs/items.py and ose/jobs/submit.py too.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from services import serving

from ose.api.dependencies import ServerOptions
from ose.client import RemoteWorkspace
from ose.errors import InvalidInputError
from ose.workspace import Workspace

NAMES = ("no", "yes", "unsure")


def put(file: Path, rows: list[tuple[str, str]], head: tuple[str, str] = ("sentence", "kind")) -> None:
    with file.open("w", newline="", encoding="utf8") as stream:
        csv.writer(stream).writerows([head, *rows])


@pytest.fixture
def rows(real_text: list[str]) -> list[tuple[str, str]]:
    lines = [line.strip() for document in real_text for line in document.splitlines() if len(line.split()) > 2]
    return [(line, NAMES[number % 3]) for number, line in enumerate(dict.fromkeys(lines))][:300]


@pytest.fixture
def classified(
    job: dict[str, Any], rows: list[tuple[str, str]], tiny_classifier: Path, tmp_path: Path
) -> dict[str, Any]:
    """A small valid job of a classifier, whose files are relative to the folder of the job."""
    put(tmp_path / "train.csv", rows[:240])
    put(tmp_path / "dev.csv", rows[220:])
    shutil.copytree(tiny_classifier, tmp_path / "classifier")
    columns = {"text": "sentence", "label": "kind"}
    corpus = {"train": ["train.csv"], "validation": ["dev.csv"], "columns": columns, "sequence_length": 16}
    space = {**job["space"], "num_hidden_layers": [1], "hidden_size": [16]}
    changed = {
        "teacher": {"model": "classifier"},
        "corpus": corpus,
        "space": space,
        "latency": {"seconds_per_shape": 0.01},
    }
    return {**job, **changed, "search": {"steps": 2, "hyperparameters": [{"batch_size": 4}]}}


def edit(teacher: Path, **changes: Any) -> None:
    content = json.loads((teacher / "config.json").read_text())
    (teacher / "config.json").write_text(json.dumps({**content, **changes}))


def test_what_follows_from_teacher_and_text_is_settled_and_told(ose, classified, write) -> None:
    done = ose("job", "submit", write(classified))
    assert done.status == 0
    told = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert any("95 % at most 16; latency is measured at 1" in line for line in told)
    assert any("are cut at the end, of a pair the longer text first" in line for line in told)
    assert any("note: 25.0% of the held-out items also stand in training" in line for line in told)
    [known] = json.loads(ose("job", "list", "--format", "json").out)
    assert [f"note: {line}" for line in known["notes"]] == told
    assert known["spec"]["search"]["held_out_sequences"] == 2000
    assert known["spec"]["latency"]["sequence_length"] == known["corpus"]["items"]["median_tokens"] <= 16


def test_an_untrained_head_stops_a_job_until_it_is_taken_as_it_is(ose, classified, write, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    classified["corpus"]["sequence_length"] = 48
    weights = tmp_path / "classifier" / "model.safetensors"
    tensors = load_file(weights)
    tensors |= {name: each * 0 for name, each in tensors.items() if name.startswith("classifier.")}
    save_file(tensors, weights, metadata={"format": "pt"})
    for _ in range(2):  # the second finds the teacher's answers where the first has left them
        stopped = ose("job", "run", write(classified))
        assert stopped.status == 1
        assert "its answers are no surer than a random head's" in stopped.err and "--teacher-as-is" in stopped.err
    [newest, _] = json.loads(ose("job", "list", "--format", "json").out)
    assert (newest["error"]["code"], newest["candidates"]) == ("invalid_teacher", {})

    done = ose("job", "run", write(classified), "--teacher-as-is")
    assert done.status == 0, done.err
    assert "was taken as it is, although its answers are no surer" in " ".join(done.out.split())

    [known, *_] = json.loads(ose("job", "list", "--format", "json").out)
    board = json.loads(ose("leaderboard", known["id"], "--format", "json").out)
    lengths = (board["job"]["latency"][name] for name in ("sequence_length", "long_sequence_length"))
    assert "long ms" in done.out and 1 < next(lengths) < next(lengths) <= 48
    assert all(each["latency_long_p50_ms"] > 0 for each in (board["teacher"], *board["rows"]))
    assert board["job"]["notes"] == known["notes"]


def set_column(job: dict[str, Any], folder: Path) -> None:
    job["corpus"]["columns"]["label"] = "knid"


def set_task(job: dict[str, Any], folder: Path) -> None:
    job["task"] = "fill_mask"


def set_label(job: dict[str, Any], folder: Path) -> None:
    with (folder / "dev.csv").open("a") as file:
        file.write("another text,yess\n")


def set_one_class(job: dict[str, Any], folder: Path) -> None:
    put(folder / "dev.csv", [(f"text {number}", "yes") for number in range(20)])


def set_empty(job: dict[str, Any], folder: Path) -> None:
    put(folder / "dev.csv", [])


def set_one_of_one(job: dict[str, Any], folder: Path) -> None:
    names = {"id2label": {"0": "a"}, "label2id": {"a": 0}}
    edit(folder / "classifier", problem_type="single_label_classification", **names)


def set_numbers(job: dict[str, Any], folder: Path) -> None:
    edit(folder / "classifier", problem_type="regression")


def set_adapter(job: dict[str, Any], folder: Path) -> None:
    (folder / "classifier" / "adapter_config.json").write_text("{}")
    (folder / "classifier" / "model.safetensors").unlink()


def set_gliner(job: dict[str, Any], folder: Path) -> None:
    (folder / "classifier" / "gliner_config.json").write_text("{}")


def set_setfit(job: dict[str, Any], folder: Path) -> None:
    (folder / "classifier" / "model_head.pkl").write_bytes(b"\x80")


def set_embedder(job: dict[str, Any], folder: Path) -> None:
    (folder / "classifier" / "modules.json").write_text("[]")
    edit(folder / "classifier", architectures=["RobertaModel"])


def set_tokenizer(job: dict[str, Any], folder: Path) -> None:
    content = json.loads((folder / "classifier" / "tokenizer.json").read_text())
    content["added_tokens"][-1]["id"] = 4_000
    (folder / "classifier" / "tokenizer.json").write_text(json.dumps(content))


def set_broken_tokenizer(job: dict[str, Any], folder: Path) -> None:
    content = json.loads((folder / "classifier" / "tokenizer.json").read_text())
    content["pre_tokenizer"] = {"type": "Sorter"}
    (folder / "classifier" / "tokenizer.json").write_text(json.dumps(content))


def set_labels_of_config(job: dict[str, Any], folder: Path) -> None:
    edit(folder / "classifier", label2id={"no": 1, "yes": 0, "unsure": 2})


MISTAKES: list[tuple[Callable[[dict[str, Any], Path], None], str]] = [
    (set_column, "train.csv has no column 'knid'; nearest: 'kind'"),
    (set_task, "a text classifier: its task is text_classification; fill_mask needs a ...ForMaskedLM model"),
    (set_label, "dev.csv, line 82: the model has no label 'yess'; did you mean 'yes'?"),
    (set_one_class, "all 20 labels of the validation part are 'yes'; metrics need two"),
    (set_empty, "dev.csv: holds no row that can be used"),
    (set_one_of_one, "one label of one (single_label_classification) is always right; set problem_type to regression"),
    (set_numbers, "a regression of 3 numbers at once is no task of OSE's; it takes one"),
    (set_adapter, "is an adapter without its model; merge it first"),
    (set_gliner, "is a GLiNER model"),
    (set_setfit, "is a SetFit model"),
    (set_embedder, "is a sentence-transformers model (RobertaModel), which gives vectors"),
    (set_tokenizer, "the tokenizer has token ids up to 4,000, the model's vocabulary ends before 800"),
    (set_broken_tokenizer, "the tokenizer cannot be read"),
    (set_labels_of_config, "id2label and label2id in the teacher's config.json disagree on"),
]


@pytest.mark.parametrize(("spoil", "told"), MISTAKES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_mistake_is_one_line(ose, classified, write, tmp_path: Path, spoil, told: str) -> None:
    spoil(classified, tmp_path)
    refused = ose("job", "submit", write(classified))
    assert refused.status == 2, refused.err
    assert told in refused.complaint
    assert json.loads(ose("job", "list", "--format", "json").out) == []


@pytest.fixture
def remote(workspace: Workspace, tmp_path: Path) -> Iterator[RemoteWorkspace]:
    with serving(workspace, ServerOptions(data_root=tmp_path)) as url, RemoteWorkspace(url) as remote:
        yield remote


@pytest.mark.processes
def test_a_service_settles_tells_and_refuses_alike(remote: RemoteWorkspace, classified, tmp_path: Path) -> None:
    job = remote.submit(classified, teacher_as_is=True)
    assert job.spec.teacher.as_is and job.spec.search.held_out_sequences == 2000
    assert job.corpus.items is not None
    assert job.spec.latency.sequence_length == job.corpus.items.median_tokens
    assert any("also stand in training" in note for note in remote.describe(job.id)["notes"])
    for spoil, told in MISTAKES:
        changed, folder = json.loads(json.dumps(classified)), tmp_path / spoil.__name__
        folder.mkdir()
        for name in ("train.csv", "dev.csv"):
            shutil.copy(tmp_path / name, folder)
        shutil.copytree(tmp_path / "classifier", folder / "classifier")
        changed["teacher"]["model"] = f"{spoil.__name__}/classifier"
        changed["corpus"] |= {key: [f"{spoil.__name__}/{changed['corpus'][key][0]}"] for key in ("train", "validation")}
        spoil(changed, folder)
        with pytest.raises(InvalidInputError) as refused:
            remote.submit(changed)
        assert told in str(refused.value), spoil.__name__
    assert len(remote.jobs()) == 1


def test_labels_that_the_answers_have_nothing_to_do_with_stop_a_job(ose, classified, write, tmp_path: Path) -> None:
    from bad_teachers import holding

    holding(50.0, "classifier.out_proj.bias")(tmp_path / "classifier")  # it gives the first label to all
    stopped = ose("job", "run", write(classified))
    assert stopped.status == 1 and "try again" not in stopped.err
    assert "it answers 'no' to all" in stopped.err and "where the most frequent label is right in" in stopped.err
    [known] = json.loads(ose("job", "list", "--format", "json").out)
    assert (known["error"]["code"], known["candidates"]) == ("invalid_teacher", {})


def test_labels_of_another_file_stop_a_job_too(ose, classified, rows, write, tmp_path: Path) -> None:
    put(tmp_path / "dev.csv", [(text, NAMES[len(text) % 2 * 2]) for text, _ in rows[220:]])
    stopped = ose("job", "run", write(classified))
    assert stopped.status == 1 and "it is no better than one answer for all" in stopped.err
