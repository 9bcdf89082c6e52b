"""Covers ose/tasks/text_classification/label_training.py, ose/tasks/text_classification/labelled_data.py."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from labelled import QUICK, bracket_rows, corpus_of, finetuning, lines_of, write_table
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from ose.core.finetuning import FinetuningRequest, HeadRequest
from ose.core.progress import Silence
from ose.core.spec import CorpusSpec
from ose.errors import CorpusError, DependencyError, InvalidInputError, TeacherError
from ose.inputs.finetuning import finished, inspect_evaluation
from ose.workers.tuning import run_evaluation, run_finetuning


class Lines(Silence):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def table(real_text: list[str], tmp_path: Path) -> Path:
    return write_table(tmp_path / "train.csv", bracket_rows(real_text, 120))


@pytest.mark.slow
def test_an_encoder_becomes_a_classifier_that_plain_transformers_load(
    tiny_roberta: Path, table: Path, tmp_path: Path
) -> None:
    request = finetuning(tiny_roberta, corpus_of(table), tmp_path)
    report = run_finetuning(request, Silence())
    assert (report.labels, report.problem_type) == (("no", "yes"), "single_label_classification")
    assert report.num_train + report.num_validation == 120
    config = json.loads((tmp_path / "tuned" / "config.json").read_text())
    assert config["problem_type"] == "single_label_classification"
    assert config["id2label"] == {"0": "no", "1": "yes"}
    assert str(tmp_path) not in "".join(file.read_text() for file in (tmp_path / "tuned").glob("*.json"))
    [answer] = pipeline("text-classification", str(tmp_path / "tuned"))("call (it)")
    assert answer["label"] in ("no", "yes")
    assert not Path(request.folder).exists()
    assert finished(request) == report


@pytest.mark.slow
def test_each_seed_has_a_model_and_the_best_one_stands_at_the_top(
    tiny_roberta: Path, table: Path, tmp_path: Path
) -> None:
    report = run_finetuning(finetuning(tiny_roberta, corpus_of(table), tmp_path, seeds=(3, 4, 5)), Silence())
    weights = {seed: load_file(tmp_path / "tuned" / f"seed-{seed}" / "model.safetensors") for seed in (3, 4, 5)}
    best = load_file(tmp_path / "tuned" / "model.safetensors")
    assert [each.seed for each in report.models] == [3, 4, 5]
    assert all(torch.equal(weight, weights[report.best.seed][name]) for name, weight in best.items())
    assert len({weights[seed]["classifier.out_proj.weight"][0, 0].item() for seed in weights}) == 3
    assert report.spread["accuracy"].mean == pytest.approx(
        sum(each.metrics["accuracy"].value for each in report.models) / 3
    )


@pytest.mark.slow
def test_seeds_that_are_done_are_not_trained_again(
    tiny_roberta: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = finetuning(tiny_roberta, corpus_of(table), tmp_path, seeds=(0, 1))

    class Stop(Silence):
        def stage(self, title: str, total: int) -> None:
            if title.endswith("seed 1"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_finetuning(request, Stop())
    kept = load_file(Path(request.folder) / "seed-0" / "model" / "model.safetensors")

    class Titles(Silence):
        titles: list[str] = []

        def stage(self, title: str, total: int) -> None:
            self.titles.append(title[-6:])

    run_finetuning(request, Titles())
    assert Titles.titles == ["seed 1"]
    again = load_file(tmp_path / "tuned" / "seed-0" / "model.safetensors")
    assert all(torch.equal(weight, again[name]) for name, weight in kept.items())


@pytest.mark.slow
def test_half_precision_is_trained_and_stored_in_full(tiny_bert: Path, table: Path, tmp_path: Path) -> None:
    """An encoder alone, without pooler, of half precision: what is missing is drawn, and its own weights stay."""
    half = tmp_path / "half"
    encoder = AutoModel.from_pretrained(tiny_bert, dtype=torch.float16, add_pooling_layer=False)
    encoder.save_pretrained(half)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(half)
    spec = replace(QUICK, steps=1, learning_rate=1e-12)
    run_finetuning(finetuning(half, corpus_of(table), tmp_path, spec=spec), Silence())
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "tuned")
    assert {weight.dtype for weight in load_file(tmp_path / "tuned" / "model.safetensors").values()} == {torch.float32}
    for name, weight in encoder.state_dict().items():
        assert torch.allclose(model.bert.state_dict()[name], weight.float(), atol=1e-6), name


@pytest.mark.slow
def test_a_classifier_keeps_its_head_unless_it_is_to_have_another(
    tiny_classifier: Path, table: Path, tmp_path: Path
) -> None:
    spec = replace(QUICK, steps=1, learning_rate=1e-12)
    kept = finetuning(tiny_classifier, corpus_of(table), tmp_path, spec=spec)
    lines = Lines()
    assert run_finetuning(kept, lines).labels == ("no", "yes", "unsure")
    assert "no training item has the label unsure" in lines.said
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_classifier, tmp_path / "tuned"))
    assert torch.allclose(before["classifier.out_proj.weight"], after["classifier.out_proj.weight"], atol=1e-6)

    new = finetuning(
        tiny_classifier, corpus_of(table), tmp_path, spec=spec, head=HeadRequest(is_new=True), output=tmp_path / "new"
    )
    assert run_finetuning(new, Silence()).labels == ("no", "yes")
    drawn = load_file(tmp_path / "new" / "model.safetensors")
    assert drawn["classifier.out_proj.weight"].shape[0] == 2
    assert not torch.allclose(before["classifier.dense.weight"], drawn["classifier.dense.weight"], atol=1e-2)


@pytest.mark.slow
def test_pairs_with_amounts_become_a_regression(tiny_bert: Path, real_text: list[str], tmp_path: Path) -> None:
    lines = lines_of(real_text, 160)
    rows = [(a, b, f"{len(a) / 40:.3f}") for a, b in zip(lines[::2], lines[1::2], strict=True)]
    table = write_table(tmp_path / "pairs.csv", rows, ("one", "other", "score"))
    request = finetuning(tiny_bert, corpus_of(table, text="one", text_pair="other", label="score"), tmp_path)
    report = run_finetuning(request, Silence())
    assert (report.problem_type, report.labels) == ("regression", ())
    assert list(report.models[0].metrics) == ["spearman", "pearson", "squared_error"]
    assert json.loads((tmp_path / "tuned" / "config.json").read_text())["problem_type"] == "regression"


def test_an_unknown_label_is_one_line_with_its_place(tiny_roberta: Path, table: Path, tmp_path: Path) -> None:
    odd = write_table(tmp_path / "odd.csv", [("one text", "yes"), ("another", "noo")])
    with pytest.raises(CorpusError, match=r"odd.csv, line 3: .* label 'noo'; did you mean 'no'\?"):
        run_finetuning(finetuning(tiny_roberta, corpus_of(table, odd), tmp_path), Silence())


@pytest.mark.slow
def test_labels_of_another_head_name_the_way_to_a_new_one(tiny_classifier: Path, tmp_path: Path) -> None:
    rows = [("one text", "good"), ("another", "bad")]
    others = corpus_of(*(write_table(tmp_path / name, rows) for name in ("others.csv", "dev.csv")))
    with pytest.raises(CorpusError, match=r"the model has no label '(good|bad)'; .*; --new-head gives the model other"):
        run_finetuning(finetuning(tiny_classifier, others, tmp_path), Silence())
    run_finetuning(finetuning(tiny_classifier, others, tmp_path, head=HeadRequest(is_new=True)), Silence())


def test_validation_labels_that_are_all_the_same_are_one_line(tiny_roberta: Path, table: Path, tmp_path: Path) -> None:
    same = write_table(tmp_path / "same.csv", [("one text", "yes"), ("another", "yes")])
    with pytest.raises(CorpusError, match=r"all 2 labels of the validation part are 'yes'"):
        run_finetuning(finetuning(tiny_roberta, corpus_of(table, same), tmp_path), Silence())


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (HeadRequest(labels=("a", "b")), "with 3 labels; --new-head gives it another"),
        (HeadRequest(problem_type="regression"), "has a head of its own, single_label_classification"),
    ],
)
def test_another_head_than_its_own_has_to_be_asked_for(
    head: HeadRequest, said: str, tiny_classifier: Path, table: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        run_finetuning(finetuning(tiny_classifier, corpus_of(table), tmp_path, head=head), Silence())


def test_lengths_and_devices_that_are_not_there_are_one_line(tiny_roberta: Path, table: Path, tmp_path: Path) -> None:
    def refused(**changes: object) -> FinetuningRequest:
        return finetuning(tiny_roberta, corpus_of(table), tmp_path, **changes)

    with pytest.raises(InvalidInputError, match=r"takes 64 tokens at most, not 65"):
        run_finetuning(refused(sequence_length=65), Silence())
    with pytest.raises(InvalidInputError, match=r"device must be cpu"):
        run_finetuning(refused(device="toaster"), Silence())
    with pytest.raises(DependencyError, match=r"no device 'cuda:99'"):
        run_finetuning(refused(device="cuda:99"), Silence())


def test_an_encoder_that_lacks_a_layer_is_one_line(tiny_bert: Path, table: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    torn.mkdir()
    for file in tiny_bert.iterdir():
        (torn / file.name).write_bytes(file.read_bytes())
    config = json.loads((torn / "config.json").read_text())
    (torn / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(TeacherError, match=r"lacks 16 of the encoder's weights, among them bert.encoder.layer.4"):
        run_finetuning(finetuning(torn, corpus_of(table), tmp_path), Silence())


@pytest.mark.slow
def test_a_model_is_judged_at_a_length_that_it_takes(tiny_roberta: Path, real_text: list[str], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(document.replace("\n", " ") for document in real_text))
    spec = CorpusSpec(train=(str(text),))
    task, question = inspect_evaluation([str(tiny_roberta)], spec, None, "cpu")
    assert run_evaluation(task, question, None).sequence_length == 64
