"""Significance and multiple testing."""

from __future__ import annotations

from collections.abc import Sequence

SIGNIFICANCE = 0.05
"""The p-value below which a difference is called established."""


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values adjusted by Holm's step-down method, in the same order.

    None stands for a comparison that was not tested: it stays None and does not count as a comparison. Source: Holm
    (1979), Scand. J. Stat. 6(2).
    """
    tested = [p_value for p_value in p_values if p_value is not None]
    if len(tested) < 2:  # one p-value stays as it is, and statsmodels runs the garbage collector at each call
        return list(p_values)
    from statsmodels.stats.multitest import multipletests  # slow to import

    _, adjusted, *_ = multipletests(tested, method="holm")
    remaining = map(float, adjusted)
    return [None if p_value is None else next(remaining) for p_value in p_values]
