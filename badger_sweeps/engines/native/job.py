"""The kernel's structs as the kernel itself describes them: Python sets and reads their fields by name."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

_DECLARATION = re.compile(r"(optional )?(?:const )?(int|float|char)(\*?) (\w+)(?:\[(\d+)\])?")
_NUMBERS: dict[str, Any] = {"int": ctypes.c_int, "float": ctypes.c_float}


class Layout(NamedTuple):
    """``struct Layout``: row lengths, and the offset of each matrix in a member's padded weights; all in floats."""

    hidden: int
    gates: int
    gate_row: int
    message: int
    dims: int
    weight: int
    error: int
    bias: int
    message_weight: int
    message_bias: int
    guess_weight: int
    guess_bias: int
    readout: int


class Job:
    """``struct Job``: what it holds, and a ctypes structure with the same fields in the same order.

    Args:
        description: the C declarations of all fields in their order, each followed by a semicolon; a declaration that
            starts with ``optional`` is of an array that may be null.
        size: bytes of the struct in the kernel.

    Attributes:
        structure: the ctypes structure.
        numbers: names of the fields that hold one number.
        required: names of the arrays that must be given.
        optional: names of the arrays that may be null.

    Raises:
        TypeError: a declaration is of no known type.
        ValueError: the structure has another size here than in the kernel.
    """

    def __init__(self, description: str, size: int) -> None:
        fields: list[tuple[str, Any]] = []
        self.numbers, self.required, self.optional = set[str](), set[str](), set[str]()
        for declaration in description.split(";")[:-1]:
            match = _DECLARATION.fullmatch(declaration)
            if match is None:
                raise TypeError(f"the kernel declares `{declaration}`, whose type is not known here")
            optional, number, pointer, name, length = match.groups()
            if pointer:
                fields.append((name, ctypes.c_void_p))
                (self.optional if optional else self.required).add(name)
            elif length:
                fields.append((name, _NUMBERS[number] * int(length)))
            else:
                fields.append((name, _NUMBERS[number]))
                self.numbers.add(name)
        self.structure: type[ctypes.Structure] = type("Job", (ctypes.Structure,), {"_fields_": fields})
        if ctypes.sizeof(self.structure) != size:
            raise ValueError(f"a job has {size} bytes in the kernel and {ctypes.sizeof(self.structure)} here")


def check_names(struct: str, given: Iterable[str], required: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Refuse a name that `struct` does not have, and the lack of one that it requires.

    Raises:
        TypeError: with all such names.
    """
    unknown = set(given).difference(required, optional)
    missing = set(required).difference(given)
    for problem, names in (("has no", unknown), ("requires", missing)):
        if names:
            raise TypeError(f"the kernel's {struct} {problem} {', '.join(f'`{name}`' for name in sorted(names))}")
