from pathlib import Path

import pytest
from published_tensors import MINILM, MPNET, PublishedTensors, bert_base_uncased

from ose.errors import TeacherError
from ose.families.bert import shape
from ose.families.registry import load_shape
from ose.tasks.registry import task_rules
from ose.tasks.tensor_names import (
    is_buffer,
    is_unused,
    refuse_common_prefix,
    require_all_used,
    require_no_wrapper,
    require_none_missing,
)

FOLDER = Path("/teachers/mine")
FILL_MASK, CLASSIFICATION = task_rules("fill_mask"), task_rules("text_classification")


@pytest.mark.parametrize("name", ["embeddings.position_ids", "bert.embeddings.token_type_ids", "x.rotary_emb.inv_freq"])
def test_buffers_are_no_weights(name: str) -> None:
    assert is_buffer(name) and is_unused(name, FILL_MASK)


@pytest.mark.parametrize(
    "name", ["bert.pooler.dense.weight", "cls.seq_relationship.bias", "mask_predictions.classifier.weight"]
)
def test_heads_beside_the_tasks_own_may_be_left_over(name: str) -> None:
    require_all_used([name], FILL_MASK, FOLDER)


@pytest.mark.parametrize("name", ["bert.encoder.layer.0.attention.self.distance_embedding.weight", "extra.weight"])
def test_what_the_encoder_may_need_may_not(name: str) -> None:
    with pytest.raises(TeacherError, match=f"the weights have {name}, which config.json's class does not know"):
        require_all_used(["bert.pooler.dense.weight", name], FILL_MASK, FOLDER)


def test_a_vocabulary_head_is_no_part_of_a_classifier_and_all_of_a_masked_language_model() -> None:
    require_all_used(["lm_head.dense.weight", "cls.predictions.bias"], CLASSIFICATION, FOLDER)
    with pytest.raises(TeacherError, match=r"lm_head\.dense\.weight"):
        require_all_used(["lm_head.dense.weight"], FILL_MASK, FOLDER)


def test_what_would_be_drawn_is_named_and_a_few_of_many() -> None:
    require_none_missing(["bert.embeddings.position_ids", "bert.pooler.dense.weight"], FILL_MASK, FOLDER)
    lacking = [f"cls.predictions.{number}" for number in range(5)]
    with pytest.raises(TeacherError, match=r"no cls\.predictions\.0, cls\.predictions\.1, .* and 2 more, wh"):
        require_none_missing(lacking, FILL_MASK, FOLDER)
    with pytest.raises(TeacherError, match=r"no bert\.pooler\.dense\.weight"):  # with which a classifier computes
        require_none_missing(["bert.pooler.dense.weight"], CLASSIFICATION, FOLDER)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("_orig_mod.bert.pooler.dense.weight", "_orig_mod."),
        ("module.bert.pooler.dense.weight", "module."),
        ("bert._fsdp_wrapped_module.pooler.dense.weight", "_fsdp_wrapped_module."),
        ("base_model.model.bert.pooler.dense.weight", "base_model."),
    ],
)
def test_a_wrapper_is_named_with_the_way_out(name: str, prefix: str) -> None:
    with pytest.raises(TeacherError) as refused:
        require_no_wrapper([name, "other.weight"], FOLDER)
    assert f"have {prefix!r} in them" in str(refused.value) and f"name.replace({prefix!r}, '')" in str(refused.value)
    require_no_wrapper([name.replace(prefix, "")], FOLDER)


def test_a_part_that_all_names_have_is_named_where_they_are_right_without_it() -> None:
    with pytest.raises(TeacherError, match=r"'net\.' in them"):
        refuse_common_prefix(["net.lm_head.bias", "net.roberta.x"], FILL_MASK.head_prefixes, FOLDER)
    refuse_common_prefix(["net.lm_head.bias", "roberta.x"], FILL_MASK.head_prefixes, FOLDER)
    refuse_common_prefix(["roberta.encoder.x"], FILL_MASK.head_prefixes, FOLDER)


def left_over(published: PublishedTensors) -> set[str]:
    """What the family neither expects of an encoder of these sizes nor knows of a head."""
    expected = load_shape("bert").expected_tensors(published.architecture, published.embedding)
    new = {name: name.replace(".gamma", ".weight").replace(".beta", ".bias") for name in published.shapes}
    assert all(any(name.endswith(ending) for name in new.values()) for ending in expected)
    known = {name for name in new if any(new[name].endswith(ending) for ending in expected)}
    return {name for name in published.shapes if name not in known and not shape.is_head_tensor(name)}


def test_bert_base_uncased_as_published() -> None:
    published = bert_base_uncased()
    assert left_over(published) == {"cls.seq_relationship.weight", "cls.seq_relationship.bias"}
    require_all_used(left_over(published), FILL_MASK, FOLDER)


def test_all_minilm_as_published() -> None:
    assert left_over(MINILM) == {"embeddings.position_ids"}
    assert all(MINILM.shapes[name] == each for name, each in expected_of(MINILM).items())


def expected_of(published: PublishedTensors) -> dict[str, tuple[int, ...]]:
    return dict(load_shape("bert").expected_tensors(published.architecture, published.embedding))


def test_all_mpnet_claims_a_head_that_its_file_lacks() -> None:
    assert MPNET.class_name == "MPNetForMaskedLM"
    assert not any(name.startswith(FILL_MASK.head_prefixes) for name in MPNET.shapes)
    assert is_unused("embeddings.position_ids", FILL_MASK) and is_unused("pooler.dense.weight", FILL_MASK)
