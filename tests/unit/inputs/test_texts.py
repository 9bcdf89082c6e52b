import pytest

from ose.errors import InvalidInputError
from ose.inputs.texts import require_name, require_storable


@pytest.mark.parametrize("name", ["a", "x" * 200, "Größe 3", "[/x]"])
def test_names_that_are_taken(name: str) -> None:
    require_name(name, "name")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (" ", "name is empty"),
        ("x" * 201, r"name has 201 characters, and 200 at most \(OSE_MAX_NAME_LENGTH\)"),
        ("a\nb", "one line"),
        ("a\0", "one line"),
    ],
)
def test_names_that_are_refused(name: str, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        require_name(name, "name")


def test_the_operator_says_how_long_a_name_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSE_MAX_NAME_LENGTH", "300")
    require_name("x" * 300, "name")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": {"b": ["x", "\0"]}}, "job.a.b "),
        ({"a": {"\ud800": 1}}, "a key of job.a "),
        (({"a": "\udfff"},), "job.a "),
    ],
)
def test_what_no_database_can_hold_is_named(value: object, place: str) -> None:
    with pytest.raises(InvalidInputError, match=place):
        require_storable(value, "job")


def test_everything_else_is_storable() -> None:
    require_storable({"a": ["\x1b", 1, None, 2.5, True, {"b": "日"}]}, "job")
