from pathlib import Path

import pytest
import torch
from classifiers import put_teacher
from transformers import AutoTokenizer

from ose.tasks.text_classification.predict import likeliest_labels, probes


def test_probabilities_are_those_of_one_label_or_of_each(tiny_bert: Path, tmp_path: Path) -> None:
    names = {0: "a", 1: "b", 2: "c"}
    one = put_teacher(tmp_path / "one", "bert", tiny_bert, id2label=names)
    answers = likeliest_labels(one, "Return it.", 3)
    assert sum(share for _, share in answers) == pytest.approx(1) and {name for name, _ in answers} == set("abc")
    assert likeliest_labels(one, "Return it.", 1) == answers[:1]
    several = put_teacher(
        tmp_path / "several", "bert", tiny_bert, id2label=names, problem_type="multi_label_classification"
    )
    raw = {name: share for name, share in likeliest_labels(several, "Return it.", 3)}
    expected = {name: torch.tensor(share).log() for name, share in answers}
    differences = [float(torch.tensor(raw[name]).logit() - expected[name]) for name in names.values()]
    assert differences == pytest.approx([differences[0]] * 3, abs=1e-3)  # equal weights, so logits differ by a constant


def test_one_logit_is_told_as_it_is(tiny_bert: Path, tmp_path: Path) -> None:
    [(name, value)] = likeliest_labels(put_teacher(tmp_path / "one", "bert", tiny_bert, num_labels=1), "Return it.")
    assert name == "LABEL_0" and abs(value) > 1e-3


@pytest.mark.parametrize("text", ["", "word " * 1000])
def test_empty_and_long_texts_have_answers(text: str, tiny_classifier: Path) -> None:
    assert len(likeliest_labels(tiny_classifier, text, 3)) == 3


def test_probes_reach_the_edges_of_what_a_model_takes(tiny_bert: Path) -> None:
    made = probes(AutoTokenizer.from_pretrained(tiny_bert))
    assert {each["input_ids"].shape[1] for each in made} >= {1, 2, 64}
    assert any((each["attention_mask"] == 0).any() for each in made)
    assert any("token_type_ids" in each and each["token_type_ids"].any() for each in made)
