from dataclasses import asdict
from typing import Any

from builders import architecture

from ose.tasks.fill_mask.card import student_card

SHAPE = architecture(2, 2, 16, 24)


def manifest() -> dict[str, Any]:
    measured = {
        "latency_p50_ms": 5.25,
        "latency_p90_ms": 6.125,
        "loss_nats": 3.5,
        "metrics": {
            "masked_lm_loss_nats": {"value": 3.25, "stderr": 0.05},
            "masked_accuracy": {"value": 0.4375, "stderr": None},
            "agreement": {"value": 0.5, "stderr": 0.01},
        },
    }
    return {
        "job": {"name": "tiny search"},
        "teacher": {"num_parameters": 1_234_567, "architecture": asdict(architecture(4, 4, 32, 64)), **measured},
        "student": {"num_parameters": 54_321, "architecture": asdict(SHAPE), **measured},
        "latency": {"batch_size": 1, "sequence_length": 128, "dtype": "float32", "threads": 1},
        "device": "Example CPU (2 cores), torch 2.13.0",
    }


def test_the_card_shows_teacher_and_student_side_by_side() -> None:
    card = student_card(manifest())
    for line in (
        "# tiny search: L2-A2-H16-I24",
        "| parameters | 1,234,567 | 54,321 |",
        "| latency p50 (p90), ms | 5.25 (6.12) | 5.25 (6.12) |",
        "| held-out masked-LM loss, nats | 3.250 | 3.250 |",
        "| masked tokens right | 43.8% | 43.8% |",
        "| agreement with the teacher | 50.0% | 50.0% |",
        "batch 1 x 128 tokens, float32",
        "Example CPU (2 cores), torch 2.13.0",
    ):
        assert line in card
