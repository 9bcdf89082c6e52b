"""Copy the chosen parts of a teacher into a student."""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel

from ose.extraction.choose import Extraction
from ose.families.models import parts_of
from ose.families.parts import Block, Embeddings, Head


def inherit(teacher: PreTrainedModel, student: PreTrainedModel, extraction: Extraction, task: str) -> None:
    """Copy the chosen parts of the teacher into the student, in place.

    Matrices are carried over into the student's coordinates on both sides. A LayerNorm works on single
    channels, which have no counterpart once the stream is rotated: its weights become their mean over the
    channels that a direction is made of.

    Args:
        teacher: A model of a family that OSE knows.
        student: A model of the same family, on the teacher's device. All its weights are written.
        extraction: What to keep; its sizes are the student's.
        task: Whose head both have.

    Raises:
        TeacherError: A model has a parameter that no part names.
    """
    source, target, carry = parts_of(teacher, task), parts_of(student, task), _Carry(extraction, student.device)
    with torch.no_grad():
        carry.embeddings(source.embeddings, target.embeddings)
        for index, (layer, block) in enumerate(zip(extraction.layers, target.blocks, strict=True)):
            carry.block(source.blocks[layer], block, index)
        carry.head(source.head, target.head)


class _Carry:
    """Carries single parts over, by an extraction that lies where the student does.

    Matrices of it that only pick channels become the channels' indices. With those there is nothing to multiply:
    carrying the vocabulary matrix over takes longer than all the rest.
    """

    def __init__(self, extraction: Extraction, device: torch.device) -> None:
        simplified: dict[int, torch.Tensor] = {}  # one matrix may serve as several maps

        def simplify(matrix: torch.Tensor) -> torch.Tensor:
            if id(matrix) not in simplified:
                simplified[id(matrix)] = _picked(matrix).to(device)
            return simplified[id(matrix)]

        self._basis = simplify(extraction.basis)
        self._squares = self._basis if self._basis.ndim == 1 else self._basis.square()
        self._neurons = [each.to(device) for each in extraction.neurons]
        self._head_change = self._basis if extraction.head_neurons is None else extraction.head_neurons.to(device)
        self._heads = [
            {name: simplify(getattr(maps, name)) for name in ("query", "key", "value", "output")}
            for maps in extraction.heads
        ]
        self._written: set[int] = set()

    def embeddings(self, source: Embeddings, target: Embeddings) -> None:
        for name, table in target.tables.items():
            self._parameter(source.tables[name].weight, table.weight, None, self._basis)
        self._norm(source.norm, target.norm)

    def block(self, source: Block, target: Block, index: int) -> None:
        basis, heads, neurons = self._basis, self._heads[index], self._neurons[index]
        self._linear(source.query, target.query, heads["query"], basis)
        self._linear(source.key, target.key, heads["key"], basis)
        self._linear(source.value, target.value, heads["value"], basis)
        self._linear(source.attention_output, target.attention_output, basis, heads["output"])
        self._norm(source.attention_norm, target.attention_norm)
        self._linear(source.intermediate, target.intermediate, neurons, basis)
        self._linear(source.output, target.output, basis, neurons)
        self._norm(source.output_norm, target.output_norm)

    def head(self, source: Head, target: Head) -> None:
        self._linear(source.dense, target.dense, self._head_change, self._basis)
        if source.norm is not None and target.norm is not None:
            self._norm(source.norm, target.norm)
        self._linear(source.output, target.output, None, self._head_change)

    def _linear(
        self, source: nn.Linear, target: nn.Linear, rows: torch.Tensor | None, columns: torch.Tensor | None
    ) -> None:
        self._parameter(source.weight, target.weight, rows, columns)
        if target.bias is not None:
            self._parameter(source.bias, target.bias, rows)

    def _norm(self, source: nn.LayerNorm, target: nn.LayerNorm) -> None:
        self._parameter(source.weight, target.weight, self._squares)
        self._parameter(source.bias, target.bias, self._basis)

    def _parameter(self, source: torch.Tensor, target: torch.Tensor, *changes: torch.Tensor | None) -> None:
        """What becomes of each dimension; None leaves it as it is. Tied parameters are written once."""
        if id(target) in self._written:
            return
        for dimension, change in enumerate(changes):
            if change is not None:
                source = _changed(source, dimension, change)
        target.copy_(source)
        self._written.add(id(target))


def _picked(matrix: torch.Tensor) -> torch.Tensor:
    """The rows that a matrix's columns pick, if each picks one; else the matrix."""
    picks = matrix == 1
    if int(matrix.count_nonzero()) == matrix.shape[1] and bool((picks.sum(dim=0) == 1).all()):
        return picks.int().argmax(dim=0)
    return matrix


def _changed(tensor: torch.Tensor, dimension: int, change: torch.Tensor) -> torch.Tensor:
    """One dimension in other coordinates: some of its indices, or its product with a matrix."""
    if change.ndim == 1:
        return tensor.index_select(dimension, change)
    product: torch.Tensor = torch.tensordot(tensor, change, dims=([dimension], [0]))
    return product.movedim(-1, dimension)
