"""Holm's adjustment, against values worked by hand and against the procedure that defines it."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from badger_sweeps.statistics.multiple_testing import holm


def rejected(p_values: list[float], level: float) -> list[bool]:
    """Holm's step-down procedure: from the smallest p on, each is compared with the level over how many are left."""
    found = [False] * len(p_values)
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[place] > level / (len(p_values) - rank):
            break
        found[place] = True
    return found


def test_holm() -> None:
    """Worked by hand: 0.01*4, then 0.02*3, 0.03*2 raised to 0.06, 0.2*1."""
    assert holm([0.03, None, 0.01, 0.2, 0.02]) == pytest.approx([0.06, None, 0.04, 0.2, 0.06], nan_ok=True)
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm([None]) == [None]
    assert holm([None, 0.04, None]) == [None, 0.04, None]


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_an_adjusted_p_value_is_the_smallest_level_at_which_the_procedure_rejects(count: int) -> None:
    rng = np.random.default_rng(count)
    p_values = rng.choice([0.002, 0.01, 0.03, *rng.uniform(0, 0.1, 3)], count).tolist()
    for place, adjusted in enumerate(holm(p_values)):
        assert adjusted is not None
        assert rejected(p_values, adjusted * (1 + 1e-9))[place]
        assert not rejected(p_values, adjusted * (1 - 1e-9))[place]


@pytest.mark.parametrize("count", [2, 3, 7, 40])
def test_holm_is_that_of_statsmodels_to_the_bit(count: int) -> None:
    rng = np.random.default_rng(count)
    for p_values in (rng.uniform(0, 0.2, count), rng.choice([0.01, 0.03125, 0.5, 1.0], count)):
        assert holm(p_values.tolist()) == multipletests(p_values, method="holm")[1].tolist()
