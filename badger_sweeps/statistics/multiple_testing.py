"""Significance and multiple testing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIGNIFICANCE = 0.05
"""The p-value below which a difference is called established."""


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values adjusted by Holm's step-down method, in the same order.

    None stands for a comparison that was not tested: it stays None and does not count as a comparison. Source: Holm
    (1979), Scand. J. Stat. 6(2).
    """
    tested = [p_value for p_value in p_values if p_value is not None]
    if len(tested) < 2:
        return list(p_values)
    # Written out here, since statsmodels, whose numbers these are to the bit, is 70 MB and nothing else needs it.
    order = np.argsort(tested, kind="stable")
    stepped = np.maximum.accumulate(np.array(tested)[order] * np.arange(len(tested), 0, -1))
    adjusted = np.empty(len(tested))
    adjusted[order] = np.minimum(stepped, 1.0)
    remaining = map(float, adjusted)
    return [None if p_value is None else next(remaining) for p_value in p_values]
