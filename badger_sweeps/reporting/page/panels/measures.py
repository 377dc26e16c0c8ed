"""One panel for each measure: every seed a thin line, the median of each configuration a bold one."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
from badger_sweeps.reporting.reading.measures import all_measured
from badger_sweeps.tracking.base import is_of_inner_loop

Numbers = NDArray[np.float64]
POINTS = 150
"""Of a curve at most; where there are more, means of equally many are drawn."""
LOSS_POINTS = 400
"""Of the loss, which is looked at closely."""
TITLES = {
    "loss": ("Loss", "chance = 1"),
    "evaluation/loss": ("Loss on the evaluation games", "chance = 1"),
    "mi/mean": ("Mutual information between experts, mean of pairs", "bits"),
    "mi_given_target/mean": ("The same, given the targets", "bits"),
    "binding/outer": ("Binding information of the outputs", "bits"),
    "binding/outer_given_target": ("The same, given the targets", "bits"),
    "binding/inner": ("Binding information within a rollout", "bits"),
    "binding/inner_given_target": ("The same, given the targets", "bits"),
    "binding/o_information": ("O-information: above 0 redundancy, below synergy", "bits"),
    "hurst/dfa": ("Hurst exponent of the loss (DFA)", "0.5 without memory"),
    "sequentiality/index": ("Sequentiality", "1 one by one, 0 all at once"),
    "grad_norm": ("Norm of the gradient", ""),
}
"""Of the measures that are shown first, in this order: what they are called, and their unit."""
EVERY_ITERATION = re.compile(r"(?!(seed|iteration|diverged)$)[^/]+|loss_dim/\d+")
"""What the loop records: losses, and whatever the update rule measures."""
LEFT_OUT = re.compile(r"mi(_given_target)?/\d\d__\d\d|plateau/.*|schedule/.*")
"""What other figures show."""


class Curve(NamedTuple):
    """One quantity of a run.

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


class Panel(NamedTuple):
    """The curves of one measure.

    Attributes:
        name: its column.
        title: in words.
        x_title: of the axis.
        unit: of the measure.
        first: whether it is one of those to be seen first.
        curves: one for each run that has the measure.
    """

    name: str
    title: str
    x_title: str
    unit: str
    first: bool
    curves: list[Curve]

    @property
    def noted(self) -> str:
        """How its points were made of the values that were recorded, or when these were, in words; else empty."""
        most = sorted({curve.merged for curve in self.curves} - {1})
        when = sorted({curve.at for curve in self.curves if curve.at is not None})
        notes = [f"Each point is the mean of {' or '.join(map(str, most))} values in a row."] if most else []
        return " ".join(notes + [f"At iteration {' or '.join(map(str, when))}, the last measured."] * bool(when))


def compute(runs: Sequence[Run]) -> list[Panel]:
    """The panels of all that the runs have recorded, those of `TITLES` first."""
    curves: dict[str, list[Curve]] = {}
    steps: dict[str, str] = {}
    for position, run in enumerate(runs):
        for name, x_title, own in _curves(position, run):
            curves.setdefault(name, []).append(own)
            steps[name] = x_title
    names = [name for name in TITLES if name in curves] + sorted(curves.keys() - TITLES.keys())
    return [Panel(name, *_words(name, steps[name]), name in TITLES, curves[name]) for name in names]


def draw(panel: Panel, levels: Sequence[float] = ()) -> Spec:
    """The panel.

    Args:
        panel: what to draw.
        levels: where to draw lines across it.
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
    marks = [0.5] if panel.name.startswith("hurst/") else levels
    shapes = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level, "layer": "below",
         "line": {"width": 0.8, "dash": "dot", "color": "gray"}}
        for level in marks
    ]  # fmt: skip
    return figure_of(
        traces,
        420 if panel.name == "loss" else 300,
        shapes=shapes,
        showlegend=len(panel.curves) > 1,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02},
        xaxis={"title": {"text": panel.x_title}},
        yaxis={"title": {"text": panel.unit}, "rangemode": "tozero"},
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


def _words(name: str, x_title: str) -> tuple[str, str, str]:
    title, unit = TITLES.get(name, (name, ""))
    return title, x_title, unit


def _median(seeds: Numbers) -> Numbers:
    """Of the seeds that have a value there: those that diverged have none afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(seeds, axis=0))


def _curves(position: int, run: Run) -> list[tuple[str, str, Curve]]:
    """Name, title of the axis and curve of every column."""
    found = []
    for name in filter(EVERY_ITERATION.fullmatch, map(str, run.history)):
        table = run.history.pivot(index="seed", columns="iteration", values=name)
        blocks = table.shape[1] // run.summary.staircase.block
        points = max(1, min(blocks, LOSS_POINTS if name == "loss" else POINTS))
        found.append((name, "iteration", _curve(position, run, table, points)))
    known = all_measured(run.history, run.measures)
    for name in map(str, known):
        column = known[name].dropna()
        if column.empty or EVERY_ITERATION.fullmatch(name) or LEFT_OUT.fullmatch(name):
            continue
        if not is_of_inner_loop(name):
            if column.dtype != object:
                found.append((name, "iteration", _curve(position, run, column.unstack("iteration"))))
        elif (last := column.index.get_level_values("iteration").max()) > 0:  # before training there is nothing to see
            vectors = column.xs(last, level="iteration")
            table = pd.DataFrame(np.stack(vectors.tolist()), index=vectors.index)
            table.columns = pd.RangeIndex(1, table.shape[1] + 1)
            found.append((name, "inner step", _curve(position, run, table)._replace(at=int(last))))
    return found


def _curve(position: int, run: Run, table: pd.DataFrame, points: int = POINTS) -> Curve:
    """Of a table of seeds and iterations, in so many points at most."""
    seeds, merged = merge(table.to_numpy(dtype=float), points)
    middles, _ = merge(table.columns.to_numpy(dtype=float), points)
    return Curve(position, run.label, middles, tuple(map(int, table.index)), seeds, merged)
