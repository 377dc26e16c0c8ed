"""The panels of the measures of every pair of experts: a heatmap for each measurement."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.core.columns import BITS, pair_groups
from badger_sweeps.reporting.reading.collection import Run

MOST = 500_000
"""Maximum number of values in a panel; if there are more, only every second, third, ... measurement is included."""
PER_UNIT = 1000
MISSING = 65535


class Pairs(NamedTuple):
    """The measurements of one seed.

    Attributes:
        run: the run's position among the runs.
        label: the run's label.
        seed: the seed.
        experts: the number of experts.
        iterations: the iterations of the measurements.
        values: measurements by pairs (0, 1), (0, 2), ... (1, 2), ...
    """

    run: int
    label: str
    seed: int
    experts: int
    iterations: NDArray[np.int64]
    values: NDArray[np.float64]


class PairPanel(NamedTuple):
    """A measure of every pair of experts.

    Attributes:
        title: the panel's title.
        unit: the unit of the values; empty for dimensionless values.
        series: the measurements of each seed.
    """

    title: str
    unit: str
    series: list[Pairs]


def compute(runs: Sequence[Run]) -> list[PairPanel]:
    """A panel for each measure of pairs of experts, with the measurements of every seed that has any."""
    panels: dict[str, PairPanel] = {}
    for position, run in enumerate(runs):
        known = (column for name, column in run.columns.items() if name in run.all_measures)
        for group, pairs in pair_groups(known).items():
            measured = run.all_measures[[pair.name for pair in pairs]].dropna(how="all")
            if measured.empty:
                continue
            panel = panels.setdefault(group, PairPanel(pairs[0].panel or group, pairs[0].unit, []))
            experts = 1 + max(index for pair in pairs for index in pair.indices)
            for seed, rows in measured.groupby(level="seed"):
                iterations = rows.index.get_level_values("iteration").to_numpy(dtype=np.int64)
                values = rows.to_numpy(dtype=float)
                panel.series.append(Pairs(position, run.label, int(str(seed)), experts, iterations, values))
    return list(panels.values())


def pictures(panel: PairPanel) -> dict[str, Any]:
    """The panel as JSON for the page's script.

    Values are whole thousandths above `least`, from 0 to 65.534. Information is shown from 0: estimates below it are
    noise. `most` is the largest value, and `every` as the function.
    """
    series = panel.series
    step = every(series)
    known = np.concatenate([seed.values[~np.isnan(seed.values)] for seed in series])
    most = float(known.max()) if known.size else 1.0
    least = 0.0 if panel.unit == BITS or not known.size else min(0.0, float(known.min()))
    return {
        "title": panel.title,
        "unit": panel.unit,
        "least": least,
        "most": most,
        "every": step,
        "seeds": [
            {
                "run": seed.run,
                "label": seed.label,
                "seed": seed.seed,
                "experts": seed.experts,
                "iterations": seed.iterations[_chosen(len(seed.iterations), step)].tolist(),
                "values": _coded(seed.values[_chosen(len(seed.iterations), step)] - least),
            }
            for seed in series
        ],
    }


def every(series: Sequence[Pairs]) -> int:
    """The number n for which the panel includes every n-th measurement, so that it has at most `MOST` values."""
    return max(1, -(-sum(seed.values.size for seed in series) // MOST))


def _chosen(count: int, every: int) -> NDArray[np.int64]:
    """The indices of every `every`-th of `count` measurements, counted from the last."""
    return np.arange(count - 1, -1, -every)[::-1]


def _coded(values: NDArray[np.float64]) -> str:
    thousandths = np.clip(np.rint(PER_UNIT * np.nan_to_num(values)), 0, MISSING - 1)
    return base64.b64encode(np.where(np.isnan(values), MISSING, thousandths).astype("<u2").tobytes()).decode()
