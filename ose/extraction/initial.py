"""How a student starts: at random, or extracted from its teacher."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedModel

from ose.core.architecture import Architecture
from ose.core.inheritance import InheritanceSpec, Initialization
from ose.extraction.calibration import Calibration
from ose.extraction.choose import choose_extraction, chosen_layers
from ose.extraction.copy import inherit
from ose.extraction.refit import fit_to_teacher
from ose.families.registry import load_family


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Everything that a student's first weights depend on, beside teacher and architecture.

    Attributes:
        initialization: From the teacher's weights or from random ones.
        inheritance: From which of them.
        seed: Decides random weights.
        calibration: The teacher's, on its device; None where the rules need none.
        task: Whose head it has.
    """

    initialization: Initialization
    inheritance: InheritanceSpec
    seed: int
    calibration: Calibration | None
    task: str

    def layers(self, num_teacher_layers: int, num_student_layers: int) -> tuple[int, ...] | None:
        """The teacher's layers that a student of this depth keeps; None if it starts at random."""
        if self.initialization == "random":
            return None
        return chosen_layers(self.inheritance, num_teacher_layers, num_student_layers, self.calibration)


def initial_student(teacher: PreTrainedModel, architecture: Architecture, start: Start) -> PreTrainedModel:
    """The student before its first step, on the teacher's device.

    Raises:
        InvalidInputError: The student cannot inherit from this teacher.
    """
    family, task = load_family(architecture.family), start.task
    if start.initialization == "random":
        return family.build_student(teacher.config, architecture, task, start.seed, teacher.device)
    extraction = choose_extraction(teacher, architecture, start.inheritance, start.calibration, task)
    student = family.build_blank_student(teacher.config, architecture, task, teacher.device)
    inherit(teacher, student, extraction, task)
    if start.inheritance.correction == "least_squares":
        assert start.calibration is not None
        fit_to_teacher(teacher, student, extraction, start.calibration, start.inheritance.ridge, task)
    return student
