from manifests import manifest

from ose.tasks.fill_mask.card import student_card

METRICS = {
    "masked_lm_loss_nats": {"value": 3.25, "stderr": 0.05},
    "masked_accuracy": {"value": 0.4375, "stderr": None},
    "agreement": {"value": 0.5, "stderr": 0.01},
}


def test_the_card_shows_teacher_and_student_side_by_side() -> None:
    card = student_card(manifest(METRICS))
    for line in (
        "# tiny search: L2-A2-H16-I24",
        "| parameters | 1,234,567 | 54,321 |",
        "| latency p50 (p90), ms | 5.25 (6.12) | 5.25 (6.12) |",
        "| held-out masked-LM loss, nats | 3.250 ± 0.050 | 3.250 ± 0.050 |",
        "| masked tokens right | 43.8% | 43.8% |",
        "| agreement with the teacher | 50.0% ± 1.0% | 50.0% ± 1.0% |",
        "| cross-entropy to the teacher, nats | 3.500 ± 0.250 (its own entropy) | 3.500 ± 0.250 |",
        "that of the encoder, batch\n1 x 128 tokens, float32",
        "Example CPU (2 cores), torch 2.13.0",
        'model = AutoModelForMaskedLM.from_pretrained("this directory")',
    ):
        assert line in card
