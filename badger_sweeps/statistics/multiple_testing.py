"""Significance and multiple testing."""

from __future__ import annotations

import gc
from collections.abc import Sequence

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
    from statsmodels.stats.multitest import multipletests  # slow to import

    gc.freeze()  # statsmodels collects garbage at each call, which takes 0.3 s among the objects of PyTorch
    try:
        _, adjusted, *_ = multipletests(tested, method="holm")
    finally:
        gc.unfreeze()
    remaining = map(float, adjusted)
    return [None if p_value is None else next(remaining) for p_value in p_values]
