"""The warning of a measure that cannot be computed for a member, where its value is NaN."""

from __future__ import annotations

import warnings
from typing import Any


class UnmeasurableWarning(RuntimeWarning):
    """A measure cannot be computed from some of its input; its value is NaN there."""


def warn_unmeasurable(measure: str, rule: str, found: str) -> None:
    """Warn why values are NaN: ``binding: needs more games than dimensions; found 50 games, 64 dimensions: NaN``.

    Python shows equal warnings from one line of code once, so the text should not change from call to call.

    Args:
        measure: its name.
        rule: what the measure needs.
        found: what it was given.
    """
    warnings.warn(f"{measure}: {rule}; found {found}: NaN", UnmeasurableWarning, stacklevel=3)


def print_warnings_in_one_line() -> None:
    """Print warnings of this package as one line without file and line number; other warnings as Python does."""
    formatted_by_python = warnings.formatwarning

    def formatted(message: Warning | str, category: type[Warning], *location: Any, **line: Any) -> str:
        of_this_package = category.__module__.partition(".")[0] == __name__.partition(".")[0]
        return f"{message}\n" if of_this_package else formatted_by_python(message, category, *location, **line)

    warnings.formatwarning = formatted
