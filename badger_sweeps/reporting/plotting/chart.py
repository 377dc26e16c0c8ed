"""Charts: figures as data, panels of marks that the Matplotlib and Plotly backends draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from badger_sweeps.reporting.reading.arms import Curve

GREY = -1
"""The colour of marks that belong to no arm; all other numbers are those of `style.configuration_color`."""
SEEDS_OPACITY = 0.3
POINTS = 400
"""The most points of a line; of longer curves, means of equally many consecutive points are drawn."""


@dataclass(frozen=True)
class Line:
    """Points connected by a line."""

    x: ArrayLike
    y: ArrayLike
    color: int = 0
    label: str = ""
    width: float = 2.0
    opacity: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Dots:
    """Points, with error bars from `low` to `high` where these are given."""

    x: ArrayLike
    y: ArrayLike
    color: int = 0
    label: str = ""
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    size: float = 6.0
    opacity: float = 1.0
    diamond: bool = False


@dataclass(frozen=True)
class Area:
    """The area between two lines."""

    x: ArrayLike
    low: ArrayLike
    high: ArrayLike
    color: int = GREY
    label: str = ""


@dataclass(frozen=True)
class Level:
    """A labelled line across the panel at one value of y, or at one value of x if it is `upright`."""

    at: float
    label: str = ""
    upright: bool = False


Mark = Line | Dots | Area | Level


@dataclass
class Panel:
    """One pair of axes.

    Attributes:
        title: of the panel.
        x: title of the x-axis, with its unit.
        y: title of the y-axis, with its unit.
        marks: in drawing order, the first below all others.
        x_log: whether the x-axis is logarithmic.
        y_log: whether the y-axis is logarithmic.
        ticks: names along x at 0, 1, 2, ...; None for numbers.
        y_range: fixed limits of the y-axis.
        square: whether both axes have the same scale.
    """

    title: str
    x: str
    y: str
    marks: list[Mark] = field(default_factory=list)
    x_log: bool = False
    y_log: bool = False
    ticks: Sequence[str] | None = None
    y_range: tuple[float, float] | None = None
    square: bool = False


@dataclass(frozen=True)
class Chart:
    """A figure.

    Attributes:
        panels: row by row, from left to right.
        caption: what the figure shows, and how it was computed.
        columns: number of panels in a row.
    """

    panels: Sequence[Panel]
    caption: str
    columns: int = 2


def seeds(curve: Curve, color: int, label: str) -> list[Mark]:
    """The marks of a curve: a thin line for each seed, and the median over seeds."""
    x, y = thinned(curve)
    marks: list[Mark] = [Line(x, row, color, width=0.8, opacity=SEEDS_OPACITY) for row in y]
    known = np.isfinite(y).any(axis=0)
    return [*marks, Line(x[known], np.nanmedian(y[:, known], axis=0), color, label, width=2.2)]


def thinned(curve: Curve) -> Curve:
    """The curve with at most `POINTS` points: means of equally many consecutive points."""
    several = -(-len(curve.x) // POINTS)
    whole = len(curve.x) // several * several
    x = curve.x[:whole].reshape(-1, several).mean(axis=1)
    return Curve(x, curve.y[:, :whole].reshape(len(curve.y), -1, several).mean(axis=2))


def groups(values: Sequence[ArrayLike], labels: Sequence[str], colors: Sequence[int] | None = None) -> list[Mark]:
    """The marks of each group: a column of dots, one per seed, and a diamond at the mean with its 95 % interval."""
    from badger_sweeps.statistics.estimates import mean

    marks: list[Mark] = []
    for place, (group, _) in enumerate(zip(values, labels, strict=True)):
        known = np.asarray(group, dtype=float)
        known = known[np.isfinite(known)]
        if not len(known):
            continue
        color = place if colors is None else colors[place]
        spread = place + np.linspace(-0.18, 0.18, len(known)) if len(known) > 1 else np.array([float(place)])
        marks.append(Dots(spread, known, color, size=5.0, opacity=0.6))
        centre = mean(known)
        low, high = ([centre.value if end is None else end] for end in centre[1:])
        marks.append(Dots([place + 0.28], [centre.value], color, low=low, high=high, size=9.0, diamond=True))
    return marks
