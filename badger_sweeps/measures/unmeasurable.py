"""What a measure does with what it cannot measure: NaN for that member, and one warning."""

from __future__ import annotations

import warnings
from typing import Any


class Unmeasurable(RuntimeWarning):
    """A measure was given what it cannot measure; where that was so, its value is NaN."""


def warn_unmeasurable(measure: str, rule: str, found: str) -> None:
    """Say once why values are NaN: ``binding: needs more games than dimensions; found 50 games, 64 dimensions: NaN``.

    Python shows a warning of the same words from the same line once, so the words should not change from call to call.
    """
    warnings.warn(f"{measure}: {rule}; found {found}: NaN", Unmeasurable, stacklevel=3)


def tell_in_one_line() -> None:
    """Have Python print the package's own warnings, and no others, as one line without their place in the code."""
    usual = warnings.formatwarning

    def formatted(message: Warning | str, category: type[Warning], *where: Any, **line: Any) -> str:
        own = category.__module__.partition(".")[0] == __name__.partition(".")[0]
        return f"{message}\n" if own else usual(message, category, *where, **line)

    warnings.formatwarning = formatted
