"""One panel for each measure: every seed a thin line, the median of each configuration a bold one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badger_sweeps.core.columns import CHANCE_IS_1, INNER_STEP, Column
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
"""Of a curve at most; where there are more, means of equally many are drawn."""
LOSS_POINTS = 400
"""Of the loss, which is looked at closely."""


class RunCurve(NamedTuple):
    """One column of a run.

    Attributes:
        run: its place among the runs.
        label: what it is called.
        x: iterations, or inner steps.
        numbers: of the seeds.
        seeds: a row for each of them; NaN where it was not measured.
        merged: values that each point is the mean of.
        at: the iteration at which it was measured, of what is along inner steps.
    """

    run: int
    label: str
    x: Numbers
    numbers: tuple[int, ...]
    seeds: Numbers
    merged: int
    at: int | None = None


class MeasurePanel(NamedTuple):
    """The curves of one column.

    Attributes:
        column: what it holds.
        curves: one for each run that has it.
    """

    column: Column
    curves: list[RunCurve]

    @property
    def x_title(self) -> str:
        """Of the axis."""
        return self.column.axis or "iteration"

    @property
    def noted(self) -> str:
        """How its points were made of the values that were recorded, or when these were, in words; else empty."""
        most = sorted({curve.merged for curve in self.curves} - {1})
        when = sorted({curve.at for curve in self.curves if curve.at is not None})
        notes = [f"Each point is the mean of {' or '.join(map(str, most))} values in a row."] if most else []
        return " ".join(notes + [f"At iteration {' or '.join(map(str, when))}, the last measured."] * bool(when))


def compute(runs: Sequence[Run]) -> list[MeasurePanel]:
    """The panels of all columns that the runs have and that are to be drawn: those shown at first come first."""
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
        panel: what to draw.
        levels: of the staircase, drawn as lines across a panel of a normalised error.
    """
    traces: list[Spec] = []
    for curve in panel.curves:
        color, label = configuration_color(curve.run), plain(curve.label)
        common = {"type": "scatter", "mode": "lines", "meta": {"run": curve.run}, "legendgroup": label, "name": label}
        common |= along(curve.x)
        where = f"{panel.x_title} %{{x:.0f}}: %{{y:.3g}}<extra>{label}"
        for number, values in zip(curve.numbers, curve.seeds, strict=True):
            words = f"{where}, seed {number}</extra>"
            line = {"width": 0.8, "color": translucent(color, 0.5)}
            traces.append({**common, "y": packed(values), "line": line, "showlegend": False, "hovertemplate": words})
        words = f"{where}, median</extra>"
        median = {"y": packed(_median(curve.seeds)), "line": {"width": 2.8, "color": color}, "hovertemplate": words}
        traces.append({**common, **median})
    lines = [*(levels if panel.column.unit == CHANCE_IS_1 else ()), *_reference(panel.column)]
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


def merge(values: Numbers, most: int) -> tuple[Numbers, int]:
    """Means of equally many neighbours along the last axis, so that at most so many are left; and how many.

    The last mean may be one of fewer. NaN is left out of means.
    """
    points = values.shape[-1]
    size = -(-points // most) if points else 1
    if size == 1:
        return values, 1
    padding = [(0, 0)] * (values.ndim - 1) + [(0, -points % size)]
    whole = np.pad(values, padding, constant_values=np.nan).reshape(*values.shape[:-1], -1, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing was measured: NaN
        return np.nanmean(whole, axis=-1), size


def _reference(column: Column) -> list[float]:
    return [] if column.reference is None else [column.reference]


def _median(seeds: Numbers) -> Numbers:
    """Of the seeds that have a value there: those that diverged have none afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(seeds, axis=0))


def _curves(position: int, run: Run) -> list[tuple[Column, RunCurve]]:
    """Every column that is drawn, with its curve, in the order of the run's columns."""
    return [
        (column, curve)
        for name, column in run.columns.items()
        if column.drawn and column.per != "pair" and (curve := _curve_of(position, run, name, column)) is not None
    ]


def _curve_of(position: int, run: Run, name: str, column: Column) -> RunCurve | None:
    """A column's curve; None where it has no values, or none that can be drawn."""
    if column.every_iteration:
        if name not in run.history:
            return None
        table = run.history.pivot(index="seed", columns="iteration", values=name)
        blocks = table.shape[1] // run.summary.staircase.block
        return _curve(position, run, table, max(1, min(blocks, LOSS_POINTS if name == LOSS else POINTS)))
    values = run.measured[name].dropna() if name in run.measured else pd.Series()
    if values.empty:
        return None
    if not column.axis:
        return _curve(position, run, values.unstack("iteration"))
    last = values.index.get_level_values("iteration").max()
    if column.axis != INNER_STEP or last == 0:  # before training there is nothing to see
        return None
    vectors = values.xs(last, level="iteration")
    table = pd.DataFrame(np.stack(vectors.tolist()), index=vectors.index)
    table.columns = pd.RangeIndex(1, table.shape[1] + 1)
    return _curve(position, run, table)._replace(at=int(last))


def _curve(position: int, run: Run, table: pd.DataFrame, points: int = POINTS) -> RunCurve:
    """Of a table of seeds and iterations, in so many points at most."""
    seeds, merged = merge(table.to_numpy(dtype=float), points)
    middles, _ = merge(table.columns.to_numpy(dtype=float), points)
    return RunCurve(position, run.label, middles, tuple(map(int, table.index)), seeds, merged)
