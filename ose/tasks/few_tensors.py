"""Build a model after somebody else's configuration, where one number may ask for millions of layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from torch.nn import Module, Parameter
from torch.nn.modules.module import register_module_parameter_registration_hook

from ose.errors import TeacherError
from ose.limits import operator_limits, setting_of


@contextmanager
def few_tensors() -> Iterator[None]:
    """Stop whatever is built inside when it has more tensors than a teacher may have.

    They are counted as they are made: which of a family's numbers multiply its parts, only its own code tells.

    Raises:
        TeacherError: It has.
    """
    most, made = operator_limits().max_teacher_tensors, count(1)

    def require_few(module: Module, name: str, parameter: Parameter) -> None:
        if next(made) > most:
            raise TeacherError(f"config.json asks for more than {most:,} tensors ({setting_of('max_teacher_tensors')})")

    hook = register_module_parameter_registration_hook(require_few)
    try:
        yield
    finally:
        hook.remove()
