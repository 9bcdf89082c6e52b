from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from builders import architecture
from distillations import Curve, NewRun
from safetensors.torch import load_file

from ose.core.recipe import LossWeights
from ose.distillation.module import DistillationModule, StepLosses
from ose.distillation.run import DistillationRun, _backward, _stages, distill, save_student
from ose.errors import NonFiniteLossError
from ose.tasks.fill_mask.batches import batches_of
from ose.tasks.fill_mask.forward import logits_at
from ose.training.losses import cosine_loss, soft_target_loss

AS_WIDE = architecture(2, 4, 32, 24)


def first_step(run: DistillationRun) -> tuple[StepLosses, DistillationModule]:
    """The losses of the first step, and the module with its gradients."""
    torch.manual_seed(0)
    module = DistillationModule(run.task, run.student, run.teacher.config.hidden_size).eval()
    return _backward(run, _stages(run)[-1], module, 0), module


def gradients(module: DistillationModule) -> dict[str, torch.Tensor]:
    return {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}


@pytest.mark.slow
def test_every_loss_goes_down(new_run: NewRun) -> None:
    curve = Curve()
    distill(new_run(steps=40, checkpoint_every=100), curve)
    assert sorted(curve) == list(range(1, 41))
    for name in ("total", "soft_targets", "masked_lm", "cosine"):
        early, late = (sum(getattr(curve[s], name) for s in steps) for steps in (range(1, 6), range(36, 41)))
        assert late < 0.95 * early, name


@pytest.mark.parametrize("positions", ["all", "masked"])
def test_the_losses_by_hand(positions: str, new_run: NewRun) -> None:
    run = new_run(shape=AS_WIDE, positions=positions, weights=LossWeights(soft_targets=5, masked_lm=2, cosine=3))
    [(batch, share)] = run.batches(0)
    assert share == 1
    with torch.no_grad():
        theirs, ours = (
            model(input_ids=batch.input_ids, output_hidden_states=True) for model in (run.teacher, run.student)
        )
    places = torch.arange(8)[:, None], batch.positions
    pairs = (theirs.logits[places], ours.logits[places]) if positions == "masked" else (theirs.logits, ours.logits)
    soft = soft_target_loss(*(logits.flatten(0, 1) for logits in pairs), run.spec.temperature).item()
    masked_lm = torch.nn.functional.cross_entropy(ours.logits[places].flatten(0, 1), batch.labels.flatten()).item()
    cosine = cosine_loss(theirs.hidden_states[-1], ours.hidden_states[-1]).item()
    losses, _ = first_step(run)
    assert losses.soft_targets == pytest.approx(soft, rel=1e-4)
    assert losses.masked_lm == pytest.approx(masked_lm, rel=1e-4)
    assert losses.cosine == pytest.approx(cosine, rel=1e-4)
    assert losses.total == pytest.approx(5 * soft + 2 * masked_lm + 3 * cosine, rel=1e-4)


OF_OTHER_TASKS = ("logits", "labels")


@pytest.mark.parametrize("kept", [each.name for each in fields(LossWeights) if each.name not in OF_OTHER_TASKS])
def test_a_loss_without_weight_is_left_out(kept: str, new_run: NewRun) -> None:
    weights = {**{field.name: 0.0 for field in fields(LossWeights)}, kept: 2.0}
    run = new_run(weights=LossWeights(**weights))
    calls: list[object] = []
    hook = run.teacher.base_model.register_forward_hook(lambda *_: calls.append(1))
    losses, module = first_step(run)
    hook.remove()
    values = {name: getattr(losses, name) for name in weights}
    assert {name for name, value in values.items() if value != 0} == {kept}
    assert losses.total == pytest.approx(2 * values[kept])
    assert len(calls) == (kept != "masked_lm")
    assert ("projection.weight" in gradients(module)) is (kept in ("cosine", "hidden_states"))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_further_losses_go_down(precision: str, new_run: NewRun) -> None:
    weights = LossWeights(soft_targets=0, masked_lm=0, cosine=0, relations=1, hidden_states=1)
    curve = Curve()
    distill(new_run(steps=30, checkpoint_every=100, weights=weights, precision=precision), curve)
    for name in ("relations", "hidden_states"):
        assert getattr(curve[30], name) < 0.9 * getattr(curve[1], name), name


def test_relations_of_another_layer_are_other_relations(new_run: NewRun) -> None:
    weights = LossWeights(relations=1)
    last, _ = first_step(new_run(weights=weights))
    named, _ = first_step(new_run(weights=weights, relation_layer=3))
    first, _ = first_step(new_run(weights=weights, relation_layer=0))
    assert last == named
    assert first.relations != last.relations


def test_the_names_of_losses_are_those_of_their_weights() -> None:
    assert [field.name for field in fields(StepLosses)] == ["total", *(field.name for field in fields(LossWeights))]


@pytest.mark.parametrize("micro_batch_size", [1, 3, 4])
@pytest.mark.parametrize("positions", ["all", "masked"])
def test_accumulated_gradients_are_those_of_the_whole_batch(
    micro_batch_size: int, positions: str, new_run: NewRun
) -> None:
    whole, expected = first_step(new_run(positions=positions))
    parts, accumulated = first_step(new_run(positions=positions, micro_batch_size=micro_batch_size))
    torch.testing.assert_close(gradients(accumulated), gradients(expected), rtol=1e-3, atol=1e-5)
    assert parts.total == pytest.approx(whole.total, rel=1e-5)


def test_every_gradient_of_a_step_is_used_in_that_step(new_run: NewRun, sequences: np.ndarray) -> None:
    """An epoch ends within the fourth step: what is left over of it must not leak into the next one's gradients."""
    run = new_run(steps=4, batch_size=8, micro_batch_size=3)
    before: list[dict[str, torch.Tensor]] = []
    distill(run, lambda *_: before.append({n: p.grad for n, p in run.student.named_parameters() if p.grad is not None}))
    assert before == [{}] * 4


def test_documents_of_several_lengths_weigh_by_their_targets(new_run: NewRun, sequences: np.ndarray) -> None:
    groups = (np.concatenate([sequences[:9, :11], sequences[:9, -1:]], axis=1), sequences[:20])
    weights = LossWeights(soft_targets=0, masked_lm=1, cosine=0)
    run = new_run(weights=weights, batch_size=12, micro_batch_size=4)
    run = replace(run, batches=batches_of(groups, run.spec, run.tokenizer))
    losses, module = first_step(run)
    batches = [batch for batch, _ in run.batches(0)]
    assert len({batch.input_ids.shape[1] for batch in batches}) == 2
    module.zero_grad()
    logits = [logits_at(run.student, batch.input_ids, batch.positions).flatten(0, 1) for batch in batches]
    labels = [batch.labels.flatten() for batch in batches]
    expected = torch.nn.functional.cross_entropy(torch.cat(logits), torch.cat(labels))
    assert losses.masked_lm == pytest.approx(expected.item(), rel=1e-4)


def test_a_narrower_student_is_compared_through_a_projection_that_is_not_kept(new_run: NewRun) -> None:
    run = new_run()
    distill(run, Curve())
    checkpoint = load_file(run.folder / "checkpoints" / "step-00000010" / "training.safetensors")
    assert checkpoint["weight/projection.weight"].shape == (32, 16)
    saved = load_file(save_student(run, {}) / "model.safetensors")
    assert not any("projection" in name for name in saved)


def test_a_student_as_wide_as_its_teacher_needs_no_projection(new_run: NewRun) -> None:
    _, module = first_step(new_run(shape=AS_WIDE))
    assert not list(module.projection.parameters())


def test_masks_are_drawn_anew_and_every_sequence_is_seen_once_an_epoch(new_run: NewRun, sequences: np.ndarray) -> None:
    run = new_run(batch_size=6)
    batches = [batch for step in range(10) for batch, _ in run.batches(step)]
    seen = [b.input_ids.scatter(1, b.positions, b.labels).numpy() for b in batches]
    first, second = np.concatenate(seen[:5]), np.concatenate(seen[5:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == sorted(sequences.tolist())
    assert not np.array_equal(first, second)
    assert len({tuple(b.positions.flatten().tolist()) for b in batches}) == 10


def test_bfloat16_follows_single_precision_closely(new_run: NewRun) -> None:
    exact, _ = first_step(new_run())
    rounded, module = first_step(new_run(precision="bfloat16"))
    assert rounded.total != exact.total
    assert rounded.total == pytest.approx(exact.total, rel=0.02)
    assert {gradient.dtype for gradient in gradients(module).values()} == {torch.float32}


def test_a_distillation_that_diverges_is_told_and_keeps_its_checkpoint(new_run: NewRun) -> None:
    run = new_run(checkpoint_every=1, learning_rate=1e30, warmup_fraction=0.0, max_grad_norm=1e30)
    with pytest.raises(NonFiniteLossError, match=r"the loss is (nan|inf) at step \d+ of 10"):
        distill(run, Curve())
    assert list((run.folder / "checkpoints").iterdir())
