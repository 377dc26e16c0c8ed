"""The panel of the mutual information of every pair of experts: a heatmap for each measurement."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.reporting.reading.collection import Run

MOST = 500_000
"""Maximum number of values in a page; if there are more, only every second, third, ... measurement is included."""
PER_BIT = 1000
MISSING = 65535


class Pairs(NamedTuple):
    """The measurements of one seed.

    Attributes:
        run: the run's position among the runs.
        label: the run's label.
        seed: the seed.
        experts: the number of experts.
        iterations: the iterations of the measurements.
        values: in bits, measurements by pairs (0, 1), (0, 2), ... (1, 2), ...
    """

    run: int
    label: str
    seed: int
    experts: int
    iterations: NDArray[np.int64]
    values: NDArray[np.float64]


def compute(runs: Sequence[Run]) -> list[Pairs]:
    """The measurements of every seed that has any."""
    series = []
    for position, run in enumerate(runs):
        names = [name for name, column in run.columns.items() if column.per == "pair" and name in run.measured]
        measured = run.measured[names].dropna(how="all")
        if not names or measured.empty:
            continue
        experts = (1 + math.isqrt(1 + 8 * len(names))) // 2  # n experts have n(n - 1)/2 pairs
        for seed, rows in measured.groupby(level="seed"):
            iterations = rows.index.get_level_values("iteration").to_numpy(dtype=np.int64)
            series.append(Pairs(position, run.label, int(str(seed)), experts, iterations, rows.to_numpy(dtype=float)))
    return series


def pictures(series: Sequence[Pairs]) -> dict[str, Any]:
    """The measurements as JSON for the page's script, in thousandths of bits, with the largest value and `every`."""
    step = every(series)
    most = max((float(np.nanmax(seed.values)) for seed in series if not np.isnan(seed.values).all()), default=1.0)
    return {
        "most": most,
        "every": step,
        "seeds": [
            {
                "run": seed.run,
                "label": seed.label,
                "seed": seed.seed,
                "experts": seed.experts,
                "iterations": seed.iterations[_chosen(len(seed.iterations), step)].tolist(),
                "values": _coded(seed.values[_chosen(len(seed.iterations), step)]),
            }
            for seed in series
        ],
    }


def every(series: Sequence[Pairs]) -> int:
    """The number n for which the page includes every n-th measurement, so that it has at most `MOST` values."""
    return max(1, -(-sum(seed.values.size for seed in series) // MOST))


def _chosen(count: int, every: int) -> NDArray[np.int64]:
    """The indices of every `every`-th of `count` measurements, counted from the last."""
    return np.arange(count - 1, -1, -every)[::-1]


def _coded(bits: NDArray[np.float64]) -> str:
    thousandths = np.clip(np.rint(PER_BIT * np.nan_to_num(bits)), 0, MISSING - 1)
    return base64.b64encode(np.where(np.isnan(bits), MISSING, thousandths).astype("<u2").tobytes()).decode()
