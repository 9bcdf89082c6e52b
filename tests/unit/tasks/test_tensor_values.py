from pathlib import Path

import pytest
import torch
from models import masked_lm

from ose.errors import TeacherError
from ose.tasks.tensor_values import MOST_ABSOLUTE, denormal_share, require_sound_values


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3e38, -1e30, 1.01 * MOST_ABSOLUTE])
def test_a_value_that_no_training_leaves_behind_is_named_with_its_tensor(value: float) -> None:
    model = masked_lm("bert")
    with torch.no_grad():
        model.get_parameter("cls.predictions.bias")[3] = value
    with pytest.raises(TeacherError, match=r"/mine: cls\.predictions\.bias in its weights has"):
        require_sound_values(model, Path("/mine"))


def test_trained_values_pass_and_are_told() -> None:
    model = masked_lm("roberta")
    with torch.no_grad():
        model.get_parameter("lm_head.bias")[:4] = torch.tensor([-50.0, 0.0, 1e-39, -1e-40])
    found = require_sound_values(model, Path("/mine"))
    total = sum(each.numel() for each in model.parameters())
    assert found.largest == 50 and found.denormal_share == denormal_share(model) == pytest.approx(2 / total)
