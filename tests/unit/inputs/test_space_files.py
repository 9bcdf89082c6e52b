from __future__ import annotations

from pathlib import Path

import pytest

from ose.core.architecture import Architecture
from ose.core.search_space import AXES as SIZES
from ose.errors import JobFileError, NotFoundError, SearchSpaceError
from ose.families.counts import FamilyCounts
from ose.inputs.space_files import load_space, shipped_space_names, shipped_spaces

AXES = {"num_hidden_layers": [2], "num_attention_heads": [4], "hidden_size": [32], "intermediate_size": [64]}


def members(name: str) -> list[Architecture]:
    space = load_space(name)
    assert space.embedding is not None
    return [member.architecture for member in space.members(FamilyCounts(space.embedding))]


def architecture(d: int, a: int, h: int, i: int) -> Architecture:
    return Architecture(num_hidden_layers=d, num_attention_heads=a, hidden_size=h, intermediate_size=i)


def test_every_shipped_space_loads_under_its_file_name_and_describes_itself():
    spaces = shipped_spaces()
    assert [space.name for space in spaces] == shipped_space_names() == ["bort", "minilm", "quickstart", "roberta-base"]
    assert all(space.description and space.embedding for space in spaces)


def test_bort_has_the_papers_300_configurations():
    assert len(set(members("bort"))) == load_space("bort").size == 300


def test_roberta_base_holds_the_shape_of_distilroberta_and_nothing_larger_than_the_teacher():
    found = members("roberta-base")
    assert architecture(6, 12, 768, 3072) in found
    teacher = architecture(12, 12, 768, 3072)
    assert all(getattr(each, n) <= getattr(teacher, n) for each in found for n in SIZES)


def test_minilm_has_a_hundred_members_and_the_teachers_own_shape():
    found = members("minilm")
    assert len(found) >= 100
    assert architecture(6, 12, 384, 1536) in found


def test_quickstart_is_small_and_offers_heads_of_32_at_every_width():
    found = members("quickstart")
    assert 30 <= len(found) <= 80
    assert architecture(6, 6, 192, 768) in found
    assert {each.hidden_size for each in found if each.head_size == 32} == {each.hidden_size for each in found}


def test_a_range_includes_its_stop_and_steps_by_one_unless_told():
    space = load_space(
        AXES | {"num_hidden_layers": {"start": 1, "stop": 3}, "hidden_size": {"start": 4, "stop": 9, "step": 4}}
    )
    assert (space.name, space.num_hidden_layers, space.hidden_size) == ("inline", (1, 2, 3), (4, 8))


def test_layers_are_rules_and_lists():
    assert load_space(AXES | {"layers": ["top", [0, 3], "even"]}).layers == ("even", "top", (0, 3))


def test_a_space_file_is_found_beside_the_job_file_and_named_after_itself(tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("\n".join(f"{axis}: {values}" for axis, values in AXES.items()))
    assert load_space("mine.yaml", tmp_path) == load_space(str(tmp_path / "mine.yaml"))
    assert load_space("mine.yaml", tmp_path).name == "mine"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(NotFoundError, match=r"no search space is called 'brot'; did you mean bort\?"):
        load_space("brot")
    with pytest.raises(NotFoundError, match="a path to a space must end in"):
        load_space("zzzzzz")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"num_attention_heads": [5]}, SearchSpaceError, "none of the heads [5] divides any of the hidden sizes [32]"),
        ({"hidden_size": []}, SearchSpaceError, "hidden_size is empty"),
        ({"hidden_size": [-32]}, SearchSpaceError, "hidden_size must be positive, not -32"),
        ({"hidden_size": {"start": 9, "stop": 3}}, SearchSpaceError, "hidden_size is empty: start 9, stop 3, step 1"),
        ({"hidden_size": {"start": 1, "stop": 10**12}}, SearchSpaceError, "1,000 that OSE_MAX_AXIS_VALUES allows"),
        ({"hidden_size": {"start": 1, "stop": 3, "step": 0}}, SearchSpaceError, "step 0"),
        ({"hidden_size": {"start": 1, "end": 3}}, JobFileError, "hidden_size must be a list, or a mapping of start"),
        ({"hidden_size": {"start": True, "stop": 3}}, JobFileError, "hidden_size.start must be a whole number"),
        ({"hidden_size": [32, "wide"]}, JobFileError, "hidden_size[1] must be a whole number, not 'wide'"),
        ({"hiden_size": [32]}, JobFileError, "hiden_size is unknown; did you mean hidden_size?"),
        ({"layers": "top"}, JobFileError, "layers must be a list, not 'top'"),
        ({"layers": ["tpo"]}, JobFileError, "layers[0] must be a rule (distilbert, even, alternate, bottom, top, infl"),
        ({"layers": [[0, "x"]]}, JobFileError, "layers[0] must be a rule (distilbert, even,"),
        ({"layers": [[False, True]]}, JobFileError, "layers[0] must be a rule (distilbert, even,"),
        ({"layers": [[0, 1, 2]]}, SearchSpaceError, "layers [0, 1, 2] are 3, but num_hidden_layers is [2]"),
        ({"layers": [[2, 0]]}, SearchSpaceError, "layers [2, 0] are not in ascending order"),
        ({"layers": [[-1, 0]]}, SearchSpaceError, "layers [-1, 0] are not in ascending order"),
        ({"layers": [[]]}, SearchSpaceError, "layers [] are not in ascending order"),
        ({"family": "lstm"}, SearchSpaceError, "family must be one of transformer"),
        ({"embedding": {"vocab_size": 0, "max_position_embeddings": 1}}, SearchSpaceError, "embedding.vocab_size must"),
    ],
)  # fmt: skip
def test_a_broken_space_is_one_line_that_names_the_axis(changes: dict, error: type, message: str):
    with pytest.raises(error) as caught:
        load_space(AXES | changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
