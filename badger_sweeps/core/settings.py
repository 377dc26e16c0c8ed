"""Settings that check themselves: the signature of the constructor is the schema.

Every object that a configuration file can build is a frozen dataclass made by `@settings`. Types are strict (``"4"``
is not 4), bounds are part of the annotation (`Count`, `Positive`, ...), and a broken rule raises pydantic's
`ValidationError`, which `explain` turns into one line for the user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import PydanticCustomError

T = TypeVar("T")

Count = Annotated[int, Field(ge=1, le=10**9)]
"""A number of things: a whole number, at least 1."""
Size = Annotated[int, Field(ge=1, le=10**5)]
"""The length of an axis of a tensor."""
Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""The seed of a member's random streams; it fits a 64-bit column."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A real number, neither NaN nor infinite."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A real number above zero."""
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A real number of at least zero."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make `cls` a frozen, strictly typed, keyword-only dataclass whose fields are checked on construction."""
    strict = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)
    return pydantic_dataclass(frozen=True, kw_only=True, config=strict)(cls)  # type: ignore[return-value]


def broken_rule(key: str, rule: str, what: str = "", /, **found: Any) -> PydanticCustomError:
    """The error to raise from a validator when a rule beyond one field's annotation is broken.

    Args:
        key: the field.
        rule: what must hold; fields of the same object in braces, ``{experts}``, are printed with their full key.
        what: a description of what was found, instead of `found`.
        found: the values of the fields that break the rule.
    """
    values = what or ", ".join(f"{name}={value}" for name, value in found.items())
    return PydanticCustomError("broken_rule", "{rule}", {"key": key, "rule": rule, "found": values})


def explain(error: ValidationError, prefix: str = "") -> str:
    """One line for the first broken rule: the key, the rule and the value found.

    `prefix` is the key of the settings object in the configuration, such as ``"topology"``.
    """
    first = error.errors(include_url=False)[0]
    full = _full_key(prefix)
    context = first.get("ctx", {})
    if first["type"] == "broken_rule":
        rule = re.sub(r"\{(\w+)\}", lambda sibling: f"`{full(sibling[1])}`", context["rule"])
        return f"`{full(context['key'])}` {rule}; found {context['found']}."
    key = full("".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip("."))
    if first["type"] == "unexpected_keyword_argument":
        return f"`{key}` is not a known key; found {first['input']!r}."
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"`{key}` must be given; found nothing."
    describe = _RULES.get(first["type"])
    rule = describe(context) if describe else first["msg"][:1].lower() + first["msg"][1:]
    return f"`{key}` {rule}; found {first['input']!r}."


_RULES: dict[str, Callable[[dict[str, Any]], str]] = {
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "greater_than": lambda context: f"must be above {context['gt']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "less_than": lambda context: f"must be below {context['lt']}",
    "multiple_of": lambda context: f"must be a multiple of {context['multiple_of']}",
    "too_short": lambda _: "must not be empty",
    "finite_number": lambda _: "must be a finite number",
    "int_type": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "bool_type": lambda _: "must be true or false",
    "string_type": lambda _: "must be a text",
    "string_pattern_mismatch": lambda context: f"must match {context['pattern']}",
    "literal_error": lambda context: f"must be {_one_of(context['expected'])}",
}


def _one_of(expected: str) -> str:
    return f"one of {expected}" if " or " in expected else expected


def _full_key(prefix: str) -> Callable[[str], str]:
    return lambda key: f"{prefix}.{key}" if prefix else key
