import math

import pytest
import torch

from ose.training.losses import (
    cosine_loss,
    cross_entropy_to,
    hidden_state_loss,
    relation_loss,
    soft_target_loss,
)

NUM_TARGETS, VOCAB_SIZE = 6, 11


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TEACHER = 2 * normal(NUM_TARGETS, VOCAB_SIZE, seed=0)
STUDENT = normal(NUM_TARGETS, VOCAB_SIZE, seed=1)
PROBABILITIES = TEACHER.softmax(-1)


def gradient(loss: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    (found,) = torch.autograd.grad(loss, logits)
    return found


def test_the_whole_cross_entropy_by_hand() -> None:
    teacher, student = torch.tensor([0.5, 0.25, 0.25]), torch.tensor([0.25, 0.25, 0.5])
    expected = 0.5 * math.log(4) + 0.25 * math.log(4) + 0.25 * math.log(2)
    values = cross_entropy_to(teacher.log()[None], student.log()[None])
    assert values.tolist() == pytest.approx([expected])


def test_a_student_that_is_its_teacher_has_the_teachers_entropy() -> None:
    entropy = -(PROBABILITIES * PROBABILITIES.log()).sum(-1)
    torch.testing.assert_close(cross_entropy_to(TEACHER.log_softmax(-1), TEACHER.log_softmax(-1)), entropy)


def test_soft_targets_by_hand() -> None:
    temperature = 2.0
    divergences = []
    for teacher, student in zip(TEACHER.tolist(), STUDENT.tolist(), strict=True):
        p, q = softened(teacher, temperature), softened(student, temperature)
        divergences.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))  # a sum over the vocabulary
    expected = temperature**2 * sum(divergences) / NUM_TARGETS
    assert soft_target_loss(TEACHER, STUDENT, temperature).item() == pytest.approx(expected)


def softened(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp(logit / temperature) for logit in logits]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_the_gradient_of_soft_targets_is_t_times_the_difference_of_distributions(temperature: float) -> None:
    logits = STUDENT.clone().requires_grad_()
    found = gradient(soft_target_loss(TEACHER, logits, temperature), logits)
    difference = (STUDENT / temperature).softmax(-1) - (TEACHER / temperature).softmax(-1)
    torch.testing.assert_close(found, temperature * difference / NUM_TARGETS)


def test_a_high_temperature_leaves_the_gradients_size() -> None:
    teacher, student = TEACHER - TEACHER.mean(-1, keepdim=True), STUDENT - STUDENT.mean(-1, keepdim=True)
    logits = student.clone().requires_grad_()
    found = gradient(soft_target_loss(teacher, logits, 1000.0), logits)
    torch.testing.assert_close(found, (student - teacher) / VOCAB_SIZE / NUM_TARGETS, rtol=1e-2, atol=1e-4)


def test_equal_distributions_have_no_soft_target_loss() -> None:
    assert soft_target_loss(TEACHER, TEACHER + 3, 2.0).item() == pytest.approx(0, abs=1e-12)


def test_the_cosine_loss_looks_at_direction_alone() -> None:
    states = normal(2, 3, 5, seed=3)
    assert cosine_loss(states, 4 * states).item() == pytest.approx(0, abs=1e-12)
    assert cosine_loss(states, -states).item() == pytest.approx(2)
    right_angle = cosine_loss(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [3.0, 3.0]]))
    assert right_angle.item() == pytest.approx((1 + 1 - math.sqrt(0.5)) / 2)


def relation_by_hand(states: torch.Tensor, num_heads: int) -> list[list[float]]:
    """A row for each sequence, head and token: softmax(x . y / sqrt(d)) over the tokens y."""
    width = states.shape[-1] // num_heads
    rows = []
    for sequence in states:
        for head in range(num_heads):
            part = sequence[:, head * width : (head + 1) * width]
            for token in part:
                rows.append((part @ token / math.sqrt(width)).softmax(0).tolist())
    return rows


def test_relations_by_hand() -> None:
    teacher, student = ([normal(2, 3, width, seed=width + i) for i in range(3)] for width in (8, 4))
    expected = 0.0
    for theirs, ours in zip(teacher, student, strict=True):
        rows = list(zip(relation_by_hand(theirs, 2), relation_by_hand(ours, 2), strict=True))
        expected += sum(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) for p, q in rows) / len(rows)
    assert relation_loss(teacher, student, 2).item() == pytest.approx(expected)


def test_relations_see_how_tokens_lie_to_one_another_and_not_where() -> None:
    states = [normal(2, 5, 6, seed=i) for i in range(3)]
    rotation = torch.linalg.qr(normal(6, 6, seed=9)).Q
    assert relation_loss(states, [each @ rotation for each in states], 1).item() == pytest.approx(0, abs=1e-6)
    assert relation_loss(states, [each @ rotation for each in states], 2).item() > 1e-3
    assert relation_loss(states, [each[:, :, :3] for each in states], 3).item() > 1e-3


def test_every_layer_is_held_to_its_share_of_the_teachers() -> None:
    teacher = [normal(2, 3, 4, seed=i) for i in range(7)]
    student = [normal(2, 3, 4, seed=10 + i) for i in range(4)]
    pairs = zip((teacher[0], teacher[2], teacher[4], teacher[6]), student, strict=True)
    expected = sum(((ours - theirs) ** 2).mean().item() for theirs, ours in pairs) / 4
    assert hidden_state_loss(teacher, student).item() == pytest.approx(expected)
    assert hidden_state_loss(teacher, teacher).item() == 0
