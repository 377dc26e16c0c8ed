"""The kernel's structs as the kernel itself describes them: Python sets and reads their fields by name."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

_DECLARATION = re.compile(r"(optional )?(?:const )?(int|float|double|char)(\*?) (\w+)(?:\[(\d+)\])?")
_NUMBERS: dict[str, Any] = {"int": ctypes.c_int, "float": ctypes.c_float, "double": ctypes.c_double}


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


class Struct:
    """A struct of the kernel: what it holds, and a ctypes structure with the same fields in the same order.

    Args:
        name: its name in the kernel, in lower case.
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

    def __init__(self, name: str, description: str, size: int) -> None:
        self.name = name
        fields: list[tuple[str, Any]] = []
        self.numbers, self.required, self.optional = set[str](), set[str](), set[str]()
        for declaration in description.split(";")[:-1]:
            match = _DECLARATION.fullmatch(declaration)
            if match is None:
                raise TypeError(f"the kernel declares `{declaration}`, whose type is not known here")
            optional, number, pointer, field, length = match.groups()
            if pointer:
                fields.append((field, ctypes.c_void_p))
                (self.optional if optional else self.required).add(field)
            elif length:
                fields.append((field, _NUMBERS[number] * int(length)))
            else:
                fields.append((field, _NUMBERS[number]))
                self.numbers.add(field)
        self.structure: type[ctypes.Structure] = type(name, (ctypes.Structure,), {"_fields_": fields})
        if ctypes.sizeof(self.structure) != size:
            raise ValueError(f"a {name} has {size} bytes in the kernel and {ctypes.sizeof(self.structure)} here")

    def set_arrays(self, structure: ctypes.Structure, arrays: Mapping[str, Tensor], others: Iterable[str] = ()) -> None:
        """Set the addresses of the arrays, which must be contiguous and on the CPU, and live as long as they are used.

        Args:
            structure: an instance of `structure`.
            arrays: by name of the field.
            others: names of arrays that are set by the caller.

        Raises:
            TypeError: the kernel does not know an array, or requires another one.
        """
        check_names(self.name, {*arrays, *others}, self.required, self.optional)
        for name, array in arrays.items():
            setattr(structure, name, array.data_ptr())


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
