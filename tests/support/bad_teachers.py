"""Teachers that are not what they seem: each spoils a copy of a good one in one way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]
Spoil = Callable[[Path], None]

WEIGHTS = "model.safetensors"
QUERY = "encoder.layer.0.attention.self.query.weight"
"""The ending of a matrix that a teacher of BERT's build has in any case."""


def edited(name: str, **changes: Any) -> Spoil:
    """Some keys of a JSON file are others."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
        (folder / name).write_text(json.dumps(content | changes))

    return spoil


def configured(**changes: Any) -> Spoil:
    """Some keys of config.json are others."""
    return edited("config.json", **changes)


def rewritten(change: Callable[[Tensors], Tensors]) -> Spoil:
    """The weights are others."""

    def spoil(folder: Path) -> None:
        tensors = change(load_file(folder / WEIGHTS))
        save_file({name: each.contiguous() for name, each in tensors.items()}, folder / WEIGHTS, {"format": "pt"})

    return spoil


def holding(value: float, ending: str = QUERY) -> Spoil:
    """One number of one tensor is this."""

    def change(tensors: Tensors) -> Tensors:
        name = next(each for each in tensors if each.endswith(ending))
        tensors = {each: tensor.float() for each, tensor in tensors.items()}
        tensors[name].view(-1)[0] = value
        return tensors

    return rewritten(change)


def of_type(dtype: torch.dtype, ending: str = QUERY, scale: float = 50) -> Spoil:
    """One tensor is stored as whole numbers, or as floats of another kind."""

    def change(tensors: Tensors) -> Tensors:
        name = next(each for each in tensors if each.endswith(ending))
        return {**tensors, name: (tensors[name].float() * scale).clamp(-100, 100).to(dtype)}

    return rewritten(change)


def without(*parts: str) -> Spoil:
    """Tensors whose names have one of these are gone."""
    return rewritten(lambda tensors: {name: t for name, t in tensors.items() if not any(p in name for p in parts)})


def with_more(**shapes: tuple[int, ...]) -> Spoil:
    """There are more tensors; `__` stands for a dot."""
    return rewritten(
        lambda tensors: {**tensors, **{name.replace("__", "."): torch.ones(shape) for name, shape in shapes.items()}}
    )


def called(rename: Callable[[str], str]) -> Spoil:
    """The tensors have other names."""
    return rewritten(lambda tensors: {rename(name): each for name, each in tensors.items()})


def with_tokens(change: Callable[[dict[str, int]], dict[str, int]]) -> Spoil:
    """The vocabulary of tokenizer.json is another."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / "tokenizer.json").read_text())
        content["model"]["vocab"] = change(content["model"]["vocab"])
        (folder / "tokenizer.json").write_text(json.dumps(content))

    return spoil


def shifted(vocabulary: dict[str, int], by: int = 1, special: int = 5) -> dict[str, int]:
    """Each word has the id of another one; the special tokens keep theirs."""
    count = len(vocabulary) - special
    return {word: i if i < special else special + (i - special + by) % count for word, i in vocabulary.items()}


def file_named(name: str, content: bytes = b"{}") -> Spoil:
    """There is one more file."""

    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return spoil


def instead_of_weights(name: str, content: bytes) -> Spoil:
    """Weights of another format, alone."""

    def spoil(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        (folder / name).write_bytes(content)

    return spoil


def renamed(name: str) -> Spoil:
    """The weights lie in a file of this name."""

    def spoil(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / name)

    return spoil


def both(*spoils: Spoil) -> Spoil:
    """Several at once."""

    def spoil(folder: Path) -> None:
        for each in spoils:
            each(folder)

    return spoil


def spoilt(good: Path, folder: Path, spoil: Spoil) -> Path:
    """A copy of a good teacher, spoilt."""
    shutil.copytree(good, folder)
    for file in folder.iterdir():
        file.chmod(0o644)
    spoil(folder)
    return folder


def slow_files(folder: Path) -> None:
    """The tokenizer is a vocabulary and merges in files of their own, as older ones are."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = (each if isinstance(each, str) else " ".join(each) for each in model["merges"])
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    (folder / "tokenizer.json").unlink()


def adapter_alone(folder: Path) -> None:
    """What peft saves, without the model."""
    (folder / "adapter_config.json").write_text("{}")
    (folder / WEIGHTS).rename(folder / "adapter_model.safetensors")


def drawn_head(tensors: Tensors) -> Tensors:
    """The vocabulary head is as it would be drawn, whose own files lack it."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: (0.02 * torch.randn(each.shape, generator=generator)).to(each.dtype) if "lm_head" in name else each
        for name, each in tensors.items()
    }


def permuted_rows(tensors: Tensors) -> Tensors:
    """The rows of the vocabulary are in the order of another one."""
    order = torch.Generator().manual_seed(0)
    return {
        name: each[torch.randperm(len(each), generator=order)] if name.endswith("word_embeddings.weight") else each
        for name, each in tensors.items()
    }


def denormal(tensors: Tensors) -> Tensors:
    """Some matrices are as good as 0."""
    return {
        name: torch.full(each.shape, 1e-40) if name.endswith("self.query.weight") else each.float()
        for name, each in tensors.items()
    }
