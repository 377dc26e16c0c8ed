"""Mutual information of every pair of experts over training, a picture for each measurement."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.reporting.reading.collection import Run

MOST = 500_000
"""Values in a page at most; of more, every second, third, ... measurement is left in."""
PER_BIT = 1000
MISSING = 65535


class Pairs(NamedTuple):
    """One seed's.

    Attributes:
        run: the run's place among the runs.
        label: what it is called.
        seed: the seed.
        experts: how many.
        iterations: at which it was measured.
        values: a row for each of them, in bits; pairs (0, 1), (0, 2), ... (1, 2), ...
    """

    run: int
    label: str
    seed: int
    experts: int
    iterations: NDArray[np.int64]
    values: NDArray[np.float64]


def compute(runs: Sequence[Run]) -> list[Pairs]:
    """Of every seed for which pairs were measured."""
    found = []
    for position, run in enumerate(runs):
        names = [name for name, column in run.columns.items() if column.per == "pair" and name in run.measured]
        measured = run.measured[names].dropna(how="all")
        if not names or measured.empty:
            continue
        experts = (1 + math.isqrt(1 + 8 * len(names))) // 2  # of which there are n(n - 1)/2 pairs
        for seed, rows in measured.groupby(level="seed"):
            iterations = rows.index.get_level_values("iteration").to_numpy(dtype=np.int64)
            found.append(Pairs(position, run.label, int(str(seed)), experts, iterations, rows.to_numpy(dtype=float)))
    return found


def pictures(found: Sequence[Pairs]) -> dict[str, Any]:
    """For the page: what it draws one after another, in thousandths of bits, and how many measurements are left out."""
    kept = every(found)
    most = max((float(np.nanmax(own.values)) for own in found if not np.isnan(own.values).all()), default=1.0)
    return {
        "most": most,
        "every": kept,
        "seeds": [
            {
                "run": own.run,
                "label": own.label,
                "seed": own.seed,
                "experts": own.experts,
                "iterations": own.iterations[_chosen(len(own.iterations), kept)].tolist(),
                "values": _coded(own.values[_chosen(len(own.iterations), kept)]),
            }
            for own in found
        ],
    }


def every(found: Sequence[Pairs]) -> int:
    """Of how many measurements one is left in."""
    return max(1, -(-sum(own.values.size for own in found) // MOST))


def _chosen(count: int, every: int) -> NDArray[np.int64]:
    """Every so many, counted from the last."""
    return np.arange(count - 1, -1, -every)[::-1]


def _coded(bits: NDArray[np.float64]) -> str:
    thousandths = np.clip(np.rint(PER_BIT * np.nan_to_num(bits)), 0, MISSING - 1)
    return base64.b64encode(np.where(np.isnan(bits), MISSING, thousandths).astype("<u2").tobytes()).decode()
