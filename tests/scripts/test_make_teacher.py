import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from ose.tasks.fill_mask.pretrain import PretrainingRecipe

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_teacher.py"
RECIPE = PretrainingRecipe(
    num_hidden_layers=1,
    num_attention_heads=2,
    hidden_size=32,
    intermediate_size=64,
    vocab_size=500,
    sequence_length=32,
    num_steps=10,
    batch_size=8,
    held_out_sequences=32,
    checkpoint_every=5,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another are slow beside other work, and so small a model needs none."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.mark.long("a whole training; its loop is tested in any case")
@pytest.mark.slow
def test_a_tiny_teacher_is_made_as_the_committed_one(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_teacher", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    output = tmp_path / "teacher"
    report = script.make_teacher(RECIPE, tmp_path / "work", output, max_documents=300)
    tokenizer = AutoTokenizer.from_pretrained(output)
    model = AutoModelForMaskedLM.from_pretrained(output)
    assert sum(p.numel() for p in model.parameters()) == report.num_parameters
    assert (output / "model.safetensors").stat().st_size < 2 * report.num_parameters + 20_000
    assert len(tokenizer) == model.config.vocab_size
    assert f"{report.teacher.loss_nats:.3f}" in (output / "README.md").read_text(encoding="utf8")
    # Run again, it goes on from what it has: the same teacher, without reading the text anew.
    assert script.make_teacher(RECIPE, tmp_path / "work", output) == report
