"""The model card of an exported classifier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ose.core.metric_names import metric_label
from ose.core.shown import markdown
from ose.tasks import model_card
from ose.tasks.model_card import THIS, Manifest
from ose.tasks.text_classification.kinds import Kind, kind_of
from ose.tasks.text_classification.rules import RULES

MOST_LABELS = 20
"""Labels that a card lists; with more it has those that are flipped most often."""

_LOSSES: dict[Kind, str] = {
    "single_label": "cross-entropy to the teacher, nats",
    "multi_label": "cross-entropy to the teacher, mean over labels, nats",
    "one_logit": "squared error over the teacher's variance",
}


def student_card(manifest: Manifest) -> str:
    """The model card: what the student is, how good, where it differs from its teacher, how fast, how to use it."""
    kind = _kind(manifest)
    sections = [
        f"{model_card.front_matter(RULES, manifest)}\n{model_card.heading(RULES, manifest)}",
        _labels(manifest, kind),
        model_card.comparison(manifest, _LOSSES[kind]),
        _measured_on(manifest),
        model_card.speed(RULES, manifest),
        *_flips(manifest, kind),
        f"## How it was made\n\n{model_card.origin(manifest)}",
        "## How to use it",
        *(model_card.code(each) for each in _usages(manifest, kind)),
    ]
    return "\n\n".join(sections) + "\n"


def _kind(manifest: Manifest) -> Kind:
    config = {"num_labels": len(manifest["labels"]), "problem_type": manifest["problem_type"]}
    return kind_of(config, Path(THIS))


def _labels(manifest: Manifest, kind: Kind) -> str:
    if kind == "one_logit":
        return "It answers with one number, in the teacher's units."
    names = [markdown(name) for name in manifest["labels"]]
    more = f" and {len(names) - MOST_LABELS} more" if len(names) > MOST_LABELS else ""
    how_many = "one" if kind == "single_label" else "any number"
    return f"It gives a text {how_many} of {len(names)} labels: {', '.join(names[:MOST_LABELS])}{more}."


def _measured_on(manifest: Manifest) -> str:
    facts, metrics = manifest["measured_on"], manifest["student"]["metrics"]
    against = (
        "their labels and the teacher's answers" if facts["has_labels"] else "the teacher's answers, without labels"
    )
    told = f"Measured on {facts['num_targets']:,} held-out items against {against}; ± is one standard error."
    first = next(iter(metrics), None)
    of_teacher = manifest["teacher"]["metrics"].get(first, {}).get("value") or 0
    if first is None or not facts["has_labels"] or of_teacher <= 0:
        return told
    share = metrics[first]["value"] / of_teacher
    return f"{told}\nThe student keeps {share:.1%} of the teacher's {markdown(metric_label(first))}."


def _flips(manifest: Manifest, kind: Kind) -> list[str]:
    flips, names = manifest["student"]["flips"], manifest["labels"]
    if not flips:
        return []
    shown = sorted(flips, key=lambda each: (-each["num_flipped"], each["label"]))[:MOST_LABELS]
    which = f" (the {MOST_LABELS} of {len(flips)} labels with most flips)" if len(flips) > MOST_LABELS else ""
    lost = "another label" if kind == "single_label" else "left out"
    head = ("the teacher's label", "items", f"{lost} by the student", "most often")
    rows = [_flip_row(each, names) for each in shown]
    return [f"## Where it differs from the teacher{which}\n\n{model_card.table(head, rows)}"]


def _flip_row(each: Mapping[str, Any], names: list[str]) -> list[str]:
    share = model_card.with_error("share", each["share"])
    instead = "" if each["most_often"] is None else markdown(names[each["most_often"]])
    return [markdown(names[each["label"]]), f"{each['num_items']:,}", f"{each['num_flipped']:,} ({share})", instead]


def _usages(manifest: Manifest, kind: Kind) -> list[str]:
    is_of_pairs = manifest["job"]["spec"]["corpus"]["columns"]["text_pair"] is not None
    text = '{"text": "A text.", "text_pair": "Another one."}' if is_of_pairs else '"A text."'
    all_of_them = ", top_k=None" if kind == "multi_label" else ""
    usages = [_usage("classify", f"classify({text}, truncation=True{all_of_them})", RULES.loaded_from(THIS))]
    if is_of_pairs and any(name.lower().startswith("entail") for name in manifest["labels"]):
        zero_shot = f'pipeline("zero-shot-classification", model="{THIS}")'
        usages.append(_usage("choose", 'choose("A text.", candidate_labels=["one thing", "another"])', zero_shot))
    if is_of_pairs and kind == "one_logit":
        usages.append(_CROSS_ENCODER)
    return usages


def _usage(name: str, call: str, load_line: str) -> str:
    return f"from transformers import pipeline\n\n{name} = {load_line}\nprint({call})"


_CROSS_ENCODER = f"""
from sentence_transformers import CrossEncoder

model = CrossEncoder("{THIS}")
print(model.predict([("A query.", "A text.")]))
"""
