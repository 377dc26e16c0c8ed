"""The panel of paired differences: each seed's difference between two configurations, and their mean with interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.reporting.inference.comparison import Difference, paired_values
from badger_sweeps.reporting.plotting.style import Spec, configuration_color, figure_of, packed, plain, translucent
from badger_sweeps.reporting.reading.collection import Run

ROW = 34
"""Height of one configuration's row, in pixels."""
SPREAD = 0.28
"""Maximum vertical distance of a seed's point from the middle of its row, in rows."""


class Compared(NamedTuple):
    """One configuration compared with the first.

    Attributes:
        run: the run's position among the runs.
        difference: the paired difference.
        seeds: the seeds that both runs were trained on.
        values: each seed's difference: second - first.
    """

    run: int
    difference: Difference
    seeds: tuple[int, ...]
    values: NDArray[np.float64]


def compute(runs: Sequence[Run], differences: Sequence[Difference]) -> dict[str, list[Compared]]:
    """The comparisons by objective, in the order of `differences`."""
    positions = {run.label: position for position, run in enumerate(runs)}
    compared: dict[str, list[Compared]] = {}
    for difference in differences:
        position = positions[difference.second]
        first, second = runs[positions[difference.first]], runs[position]
        seeds, values = paired_values(difference.objective, first, second, difference.budget)
        row = Compared(position, difference, seeds, values[1] - values[0])
        compared.setdefault(difference.objective, []).append(row)
    return compared


def draw(compared: Sequence[Compared], unit: str) -> Spec:
    """The panel: a row for each configuration, with seeds as points, and the mean with its 95 % interval."""
    traces: list[Spec] = []
    for row, comparison in enumerate(compared):
        color, label = configuration_color(comparison.run), plain(comparison.difference.second)
        common = {
            "type": "scatter",
            "mode": "markers",
            "meta": {"run": comparison.run, "always": True},
            "showlegend": False,
            "name": label,
        }
        around = (
            row + SPREAD * np.linspace(-1, 1, len(comparison.values)) if len(comparison.values) > 1 else np.array([row])
        )
        traces.append(
            {**common, "x": packed(comparison.values), "y": packed(around), "customdata": list(comparison.seeds),
             "marker": {"size": 6, "color": translucent(color, 0.5)},
             "hovertemplate": f"seed %{{customdata}}: %{{x:+.4g}} {unit}<extra>{label}</extra>"}
        )  # fmt: skip
        mean = comparison.difference.paired.difference
        trace = {**common, "x": [mean.value], "y": [row], "marker": {"size": 12, "color": color, "symbol": "diamond"}}
        trace["hovertemplate"] = f"mean: %{{x:+.4g}} {unit}<extra>{label}</extra>"
        if mean.low is not None and mean.high is not None:
            trace["error_x"] = {
                "type": "data", "symmetric": False, "array": [mean.high - mean.value],
                "arrayminus": [mean.value - mean.low], "thickness": 2.5, "width": 6, "color": color,
            }  # fmt: skip
        traces.append(trace)
    names = [plain(_short(comparison.difference.second)) for comparison in compared]
    return figure_of(
        traces,
        110 + ROW * len(compared),
        margin={"l": 20, "r": 20, "t": 20, "b": 50},
        xaxis={"title": {"text": f"difference in {unit} to the first"}, "zeroline": True,
               "rangemode": "tozero"},
        yaxis={"tickvals": list(range(len(names))), "ticktext": names, "automargin": True, "zeroline": False,
               "range": [len(names) - 0.5, -0.5], "showgrid": False},
    )  # fmt: skip


def _short(label: str) -> str:
    return label if len(label) <= 48 else f"{label[:30]}…{label[-16:]}"
