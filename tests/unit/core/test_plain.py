import json
import math

from ose.core.plain import strict_json


def test_what_json_does_not_know_is_null() -> None:
    content = {"a": math.nan, "b": [1.5, math.inf, {"c": -math.inf}], "d": (math.nan, "NaN", None, True)}
    expected = {"a": None, "b": [1.5, None, {"c": None}], "d": [None, "NaN", None, True]}
    assert strict_json(content) == expected
    assert json.loads(json.dumps(strict_json(content), allow_nan=False)) == expected
