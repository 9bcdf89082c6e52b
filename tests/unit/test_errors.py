import inspect

from ose import errors


def tree(error: type[errors.OseError]) -> list[type[errors.OseError]]:
    return [error, *(leaf for child in error.__subclasses__() for leaf in tree(child))]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in tree(errors.OseError)]
    assert len(set(codes)) == len(codes)


def test_the_drawing_shows_every_error() -> None:
    drawing = inspect.getdoc(errors) or ""
    defined = [error.__name__ for error in tree(errors.OseError) if error.__module__ == errors.__name__]
    assert [name for name in defined if name not in drawing] == []


def test_a_users_mistake_is_a_value_error_too() -> None:
    assert issubclass(errors.InvalidInputError, ValueError)
