"""What a family has to answer: two modules in a package of its own.

`shape` is read when a job is submitted, so it uses the standard library and `ose.core` alone. `model` loads torch. The
table `ose.families.registry.FAMILIES` says where the package lies; nothing else has to know of a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

from ose.core.architecture import Architecture, EmbeddingShape, ParameterCount

if TYPE_CHECKING:  # what submits a job reads this module too
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from ose.families.parts import Parts


class ConfigNames(Protocol):
    """What a config.json calls things.

    Attributes:
        CONFIG_NAMES: For each size of `Architecture` and `EmbeddingShape`, its names in config.json; the first that is
            there counts.
        CONFIG_DEFAULTS: What a size is that config.json does not tell. Any other has to be there.
        OFFSET_MODEL_TYPES: Those that count positions from the padding id's successor, so that many rows of the
            position table are never used.
    """

    @property
    def CONFIG_NAMES(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102
    @property
    def CONFIG_DEFAULTS(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def OFFSET_MODEL_TYPES(self) -> Collection[str]: ...  # noqa: D102


class Shape(ConfigNames, Protocol):
    """A family by its numbers: the module `shape`.

    Attributes:
        CLASSES: Hugging Face's model types that belong to it, each with the classes whose weights its students can
            start from.
        HEADS: The tasks whose heads its models can have.
    """

    @property
    def CLASSES(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102
    @property
    def HEADS(self) -> Collection[str]: ...  # noqa: D102

    def count_parameters(self, architecture: Architecture, embedding: EmbeddingShape, head: str) -> ParameterCount:
        """As many as the built model has. See `ose.core.architecture.Counts` for what holds of all three counts."""

    def count_flops(self, architecture: Architecture, sequence_length: int, batch_size: int = 1) -> int:
        """Operations of the encoder's forward pass, as torch counts them."""

    def count_head_flops(
        self, architecture: Architecture, embedding: EmbeddingShape, num_positions: int, head: str
    ) -> int:
        """Operations of a head's forward pass at so many positions."""

    def expected_tensors(self, architecture: Architecture, embedding: EmbeddingShape) -> Mapping[str, tuple[int, ...]]:
        """The tensors of a teacher's encoder, by the endings of their names, with the shapes they must have."""

    def is_head_tensor(self, name: str) -> bool:
        """Whether a tensor of this name belongs to a head that one of the classes has."""

    def layer_prefix(self, layer: int) -> str:
        """What is in the names of all tensors of a layer, counted from 0, and of no other tensor."""


class Family(Protocol):
    """A family's models: the module `model`. A head goes by the name of its task."""

    def build_student(
        self,
        teacher: PreTrainedConfig,
        architecture: Architecture,
        head: str,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> PreTrainedModel:
        """A student with random weights, in evaluation mode, so that short trainings spend nothing on dropout.

        Args:
            teacher: The teacher's configuration.
            architecture: What to build.
            head: The task's.
            seed: Decides the weights; the caller's random state is left as it was.
            device: Where the weights are drawn and lie; another kind of device draws others. One core takes seconds for
                a hundred million of them, a GPU milliseconds.
        """

    def build_blank_student(
        self, teacher: PreTrainedConfig, architecture: Architecture, head: str, device: torch.device | str
    ) -> PreTrainedModel:
        """The same with weights of no meaning, for callers that write them all: it takes milliseconds."""

    def architecture_of(self, model: PreTrainedModel) -> Architecture:
        """The sizes of a model of one of the family's classes."""

    def parts_of(self, model: PreTrainedModel, head: str) -> Parts:
        """Take a model apart.

        Raises:
            TeacherError: It has a parameter that no part names.
        """
