"""The panels of measures: for each configuration a thin line for every seed, and a bold line for their median."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badger_sweeps.core.columns import INNER_STEP, NORMALISED_ERROR, Column
from badger_sweeps.reporting.plotting.style import (
    Spec,
    along,
    configuration_color,
    figure_of,
    packed,
    plain,
    translucent,
)
from badger_sweeps.reporting.reading.collection import Run

Numbers = NDArray[np.float64]
LOSS = "loss"
POINTS = 150
"""Maximum number of points of a curve; if there are more values, means of equally many are drawn."""
LOSS_POINTS = 400
"""The same for the loss, whose curves need more detail."""


class RunCurve(NamedTuple):
    """The curves of one column of a run, one for each seed.

    Attributes:
        run: the run's position among the runs.
        label: the run's label.
        x: iterations, or inner steps.
        seeds: the seeds.
        values: shape (seeds, points); NaN where not measured.
        merged: number of values that each point is the mean of.
        at: the iteration of the measurement, for vectors along inner steps; else None.
    """

    run: int
    label: str
    x: Numbers
    seeds: tuple[int, ...]
    values: Numbers
    merged: int
    at: int | None = None


class MeasurePanel(NamedTuple):
    """The panel of one column.

    Attributes:
        column: the column.
        curves: one for each run that has the column.
    """

    column: Column
    curves: list[RunCurve]

    @property
    def x_title(self) -> str:
        """The title of the x-axis."""
        return self.column.axis or "iteration"

    @property
    def note(self) -> str:
        """A note on the number of values that points are means of, or on the iteration of vectors; may be empty."""
        merged = sorted({curve.merged for curve in self.curves} - {1})
        at = sorted({curve.at for curve in self.curves if curve.at is not None})
        notes = [f"Each point is the mean of {' or '.join(map(str, merged))} consecutive values."] if merged else []
        return " ".join(notes + [f"At iteration {' or '.join(map(str, at))}, the last measured."] * bool(at))


def compute(runs: Sequence[Run]) -> list[MeasurePanel]:
    """The panels of all drawn columns of the runs; those that are shown at first come first."""
    described: dict[str, Column] = {}
    curves: dict[str, list[RunCurve]] = {}
    for position, run in enumerate(runs):
        for column, curve in _curves(position, run):
            described.setdefault(column.name, column)
            curves.setdefault(column.name, []).append(curve)
    order = sorted(described.values(), key=lambda column: not column.shown)
    return [MeasurePanel(column, curves[column.name]) for column in order]


def draw(panel: MeasurePanel, levels: Sequence[float] = ()) -> Spec:
    """The panel.

    Args:
        panel: the panel to draw.
        levels: the staircase levels, drawn as lines if the column is a normalised error.
    """
    traces: list[Spec] = []
    for curve in panel.curves:
        color, label = configuration_color(curve.run), plain(curve.label)
        common = {"type": "scatter", "mode": "lines", "meta": {"run": curve.run}, "legendgroup": label, "name": label}
        common |= along(curve.x)
        where = f"{panel.x_title} %{{x:.0f}}: %{{y:.3g}}<extra>{label}"
        for seed, values in zip(curve.seeds, curve.values, strict=True):
            hover = f"{where}, seed {seed}</extra>"
            line = {"width": 0.8, "color": translucent(color, 0.5)}
            traces.append({**common, "y": packed(values), "line": line, "showlegend": False, "hovertemplate": hover})
        hover = f"{where}, median</extra>"
        median = {"y": packed(_median(curve.values)), "line": {"width": 2.8, "color": color}, "hovertemplate": hover}
        traces.append({**common, **median})
    lines = [*(levels if panel.column.unit == NORMALISED_ERROR else ()), *_reference(panel.column)]
    shapes = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level, "layer": "below",
         "line": {"width": 0.8, "dash": "dot", "color": "gray"}}
        for level in lines
    ]  # fmt: skip
    return figure_of(
        traces,
        420 if panel.column.name == LOSS else 300,
        shapes=shapes,
        showlegend=len(panel.curves) > 1,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02},
        xaxis={"title": {"text": panel.x_title}},
        yaxis={"title": {"text": panel.column.unit}, "rangemode": "tozero"},
    )


def bin_means(values: Numbers, most: int) -> tuple[Numbers, int]:
    """Means of equally many neighbours along the last axis, at most `most` of them; and the number of values per mean.

    The last mean may be of fewer values. Means leave out NaN.
    """
    points = values.shape[-1]
    size = -(-points // most) if points else 1
    if size == 1:
        return values, 1
    padding = [(0, 0)] * (values.ndim - 1) + [(0, -points % size)]
    groups = np.pad(values, padding, constant_values=np.nan).reshape(*values.shape[:-1], -1, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # groups without values become NaN
        return np.nanmean(groups, axis=-1), size


def _reference(column: Column) -> list[float]:
    return [] if column.reference is None else [column.reference]


def _median(seeds: Numbers) -> Numbers:
    """The median over the seeds that have a value; diverged seeds have none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(seeds, axis=0))


def _curves(position: int, run: Run) -> list[tuple[Column, RunCurve]]:
    """The drawn columns of a run with their curves, in the order of the columns."""
    return [
        (column, curve)
        for name, column in run.columns.items()
        if column.drawn and column.per != "pair" and (curve := _curve_of(position, run, name, column)) is not None
    ]


def _curve_of(position: int, run: Run, name: str, column: Column) -> RunCurve | None:
    """A column's curves; None if the column has no values that can be drawn."""
    if column.every_iteration:
        if name not in run.history:
            return None
        table = run.history.pivot(index="seed", columns="iteration", values=name)
        blocks = table.shape[1] // run.summary.staircase.block
        return _curve(position, run, table, max(1, min(blocks, LOSS_POINTS if name == LOSS else POINTS)))
    values = run.all_measures[name].dropna() if name in run.all_measures else pd.Series()
    if values.empty:
        return None
    if not column.axis:
        return _curve(position, run, values.unstack("iteration"))
    last = values.index.get_level_values("iteration").max()
    if column.axis != INNER_STEP or last == 0:  # vectors before training are not informative
        return None
    vectors = values.xs(last, level="iteration")
    table = pd.DataFrame(np.stack(vectors.tolist()), index=vectors.index)
    table.columns = pd.RangeIndex(1, table.shape[1] + 1)
    return _curve(position, run, table)._replace(at=int(last))


def _curve(position: int, run: Run, table: pd.DataFrame, points: int = POINTS) -> RunCurve:
    """The curves of a table of seeds by iterations, with at most `points` points."""
    seeds, merged = bin_means(table.to_numpy(dtype=float), points)
    middles, _ = bin_means(table.columns.to_numpy(dtype=float), points)
    return RunCurve(position, run.label, middles, tuple(map(int, table.index)), seeds, merged)
