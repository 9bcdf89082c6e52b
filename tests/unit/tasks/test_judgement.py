import pytest
import torch
from models import masked_lm
from transformers import PreTrainedModel

from ose.errors import TeacherError
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.judgement import NUM_ITEMS, Outputs, doubts_of, repeated_checks

TOKENS = torch.randint(5, 40, (NUM_ITEMS + 3, 12), generator=torch.Generator().manual_seed(0))


def outputs_of(model: PreTrainedModel) -> Outputs:
    def outputs(rows: torch.Tensor) -> torch.Tensor:
        assert rows.max() < NUM_ITEMS
        with torch.inference_mode():
            return logits_at(model, TOKENS[rows], torch.full((len(rows), 1), 3))

    return outputs


def test_a_teacher_answers_alike_twice_and_with_either_attention() -> None:
    model = masked_lm("roberta")
    twice, kernels = repeated_checks(model, outputs_of(model), len(TOKENS), "bfloat16")
    assert (twice.name, twice.value) == ("difference_twice", 0) and twice.is_passed
    assert kernels.name == "difference_sdpa_eager" and kernels.value < 1e-4 and kernels.is_passed
    assert "its answers to 64 items with sdpa and with eager attention differ by at most" in kernels.told
    assert doubts_of((twice, kernels)) == () and model.config._attn_implementation == "sdpa"


def test_one_that_rolls_dice_is_in_doubt() -> None:
    model = masked_lm("bert").train()
    checks = repeated_checks(model, outputs_of(model), 20, "float32")
    assert not checks[0].is_passed and checks[0].value > checks[0].bound
    assert "its answers to 20 items asked twice differ by at most" in doubts_of(checks)[0]


def test_one_whose_attention_depends_on_the_kernel_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    model = masked_lm("bert")
    plain = outputs_of(model)
    checks = repeated_checks(
        model, lambda rows: plain(rows) + (model.config._attn_implementation == "eager"), 8, "float32"
    )
    assert [each.is_passed for each in checks] == [True, False] and checks[1].value == pytest.approx(1, abs=1e-3)


def test_answers_that_are_no_numbers_are_refused_and_the_precision_is_named() -> None:
    model = masked_lm("bert")
    plain = outputs_of(model)

    def overflowing(rows: torch.Tensor) -> torch.Tensor:
        return plain(rows) * (float("inf") if torch.is_autocast_enabled("cpu") else 1)

    with pytest.raises(TeacherError, match=r"are NaN or infinite in bfloat16, .* use search\.precision: float32"):
        repeated_checks(model, overflowing, 8, "bfloat16")
    repeated_checks(model, overflowing, 8, "float32")
    with pytest.raises(TeacherError, match="the answers to 8 of 8 items are NaN or infinite in float32"):
        repeated_checks(model, lambda rows: plain(rows) * float("nan"), 8, "float32")
