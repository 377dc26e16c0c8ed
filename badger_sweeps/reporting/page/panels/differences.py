"""Paired differences: what each seed loses or gains by a configuration, and the mean of it with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.reporting.inference.comparison import Difference, paired_values
from badger_sweeps.reporting.plotting.style import Spec, configuration_color, figure_of, packed, plain, translucent
from badger_sweeps.reporting.reading.collection import Run

ROW = 34
"""Height of a configuration."""
SPREAD = 0.28
"""How far seeds lie above and below their configuration's line, in rows."""


class Compared(NamedTuple):
    """One configuration beside the one that it is compared with.

    Attributes:
        run: its place among the runs.
        difference: what was found.
        seeds: on which both were trained.
        values: what each of them adds to the mean: second - first.
    """

    run: int
    difference: Difference
    seeds: tuple[int, ...]
    values: NDArray[np.float64]


def compute(runs: Sequence[Run], differences: Sequence[Difference]) -> dict[str, list[Compared]]:
    """By quantity, in the order of the runs."""
    places = {run.label: place for place, run in enumerate(runs)}
    found: dict[str, list[Compared]] = {}
    for own in differences:
        first, second = runs[places[own.first]], runs[places[own.second]]
        seeds, values = paired_values(own.objective, first, second, own.budget)
        found.setdefault(own.objective, []).append(Compared(places[own.second], own, seeds, values[1] - values[0]))
    return found


def draw(compared: Sequence[Compared], unit: str) -> Spec:
    """A row for each configuration: seeds as small points, the mean with its 95 % interval as a large one."""
    traces: list[Spec] = []
    for row, own in enumerate(compared):
        color, label = configuration_color(own.run), plain(own.difference.second)
        common = {
            "type": "scatter",
            "mode": "markers",
            "meta": {"run": own.run, "always": True},
            "showlegend": False,
            "name": label,
        }
        around = row + SPREAD * np.linspace(-1, 1, len(own.values)) if len(own.values) > 1 else np.array([row])
        traces.append(
            {**common, "x": packed(own.values), "y": packed(around), "customdata": list(own.seeds),
             "marker": {"size": 6, "color": translucent(color, 0.5)},
             "hovertemplate": f"seed %{{customdata}}: %{{x:+.4g}} {unit}<extra>{label}</extra>"}
        )  # fmt: skip
        mean = own.difference.paired.difference
        trace = {**common, "x": [mean.value], "y": [row], "marker": {"size": 12, "color": color, "symbol": "diamond"}}
        trace["hovertemplate"] = f"mean: %{{x:+.4g}} {unit}<extra>{label}</extra>"
        if mean.low is not None and mean.high is not None:
            trace["error_x"] = {
                "type": "data", "symmetric": False, "array": [mean.high - mean.value],
                "arrayminus": [mean.value - mean.low], "thickness": 2.5, "width": 6, "color": color,
            }  # fmt: skip
        traces.append(trace)
    names = [plain(_short(own.difference.second)) for own in compared]
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
