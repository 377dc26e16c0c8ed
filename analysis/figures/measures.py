"""What was measured over training: mutual and binding information, raw and given the targets, beside the loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from analysis.figures.style import apply_to, configuration_color, translucent
from analysis.gather import FinishedRun
from analysis.measured import all_measured, read_measures

PANELS = (
    ("Mutual information between experts", "bits", {"raw": "mi/mean", "given the targets": "mi_given_target/mean"}),
    ("Binding information of the outputs", "bits",
     {"raw": "binding/outer", "given the targets": "binding/outer_given_target"}),
    ("Loss on the evaluation games", "chance = 1", {"loss": "evaluation/loss"}),
)  # fmt: skip
INNER = ("Binding information within a rollout", "binding/inner", "binding/inner_given_target")


class Curve(NamedTuple):
    """One quantity of every seed.

    Attributes:
        name: what the legend says.
        x: iterations, or inner steps.
        seeds: a row for each seed; NaN where it was not measured.
        dashed: whether it is drawn so.
    """

    name: str
    x: NDArray[np.float64]
    seeds: NDArray[np.float64]
    dashed: bool


class Panel(NamedTuple):
    """Curves that share axes."""

    title: str
    x_title: str
    y_title: str
    curves: list[Curve]


def compute(run: FinishedRun) -> list[Panel]:
    """The panels for which anything was measured."""
    known = all_measured(run.history, read_measures(run.folder))
    panels = []
    for title, unit, names in PANELS:
        curves = [
            _over_training(known, name, column, number > 0)
            for number, (name, column) in enumerate(names.items())
            if column in known and known[column].notna().any()
        ]
        if curves:
            panels.append(Panel(title, "iteration", unit, curves))
    title, raw, given = INNER
    if raw in known and known[raw].notna().any() and _last(known, raw) > 0:  # before training there is nothing to see
        curves = [_within_rollout(known, raw, False), _within_rollout(known, given, True)]
        iteration = _last(known, raw)
        panels.append(Panel(f"{title}, iteration {iteration}", "inner step", "bits", curves))
    return panels


def draw(panels: list[Panel]) -> go.Figure:
    """Thin lines are seeds, thick ones their means."""
    rows = -(-len(panels) // 2)
    figure = make_subplots(
        rows, 2, subplot_titles=[panel.title for panel in panels], vertical_spacing=0.3 / rows, horizontal_spacing=0.09
    )
    for position, panel in enumerate(panels):
        place = {"row": position // 2 + 1, "col": position % 2 + 1}
        for curve in panel.curves:
            color = configuration_color(1 if curve.dashed else 4)
            for seed in curve.seeds:
                line = {"width": 0.7, "color": translucent(color, 0.45)}
                figure.add_scatter(
                    x=curve.x, y=seed, mode="lines", line=line, showlegend=False, hoverinfo="skip", **place
                )
            mean = curve.seeds.mean(axis=0)
            figure.add_scatter(
                x=curve.x,
                y=mean,
                mode="lines",
                line={"width": 2.6, "color": color, "dash": "dash" if curve.dashed else "solid"},
                name=curve.name,
                legendgroup=curve.name,
                showlegend=position == 0,
                hovertemplate=f"{panel.x_title} %{{x}}: %{{y:.3g}}",
                **place,
            )
        figure.update_xaxes(title=panel.x_title, **place)
        figure.update_yaxes(title=panel.y_title, rangemode="tozero", **place)
    figure.update_layout(legend={"orientation": "h", "y": -0.12})
    return apply_to(figure, height=90 + 300 * rows)


def _over_training(known: pd.DataFrame, name: str, column: str, dashed: bool) -> Curve:
    table = known[column].dropna().unstack("iteration")
    return Curve(name, table.columns.to_numpy(dtype=float), table.to_numpy(dtype=float), dashed)


def _within_rollout(known: pd.DataFrame, column: str, dashed: bool) -> Curve:
    """At the last iteration at which it was measured."""
    values = known[column].dropna()
    last = values[values.index.get_level_values("iteration") == _last(known, column)]
    seeds = np.stack([np.asarray(value, dtype=float) for value in last])
    return Curve("given the targets" if dashed else "raw", np.arange(1.0, seeds.shape[1] + 1), seeds, dashed)


def _last(known: pd.DataFrame, column: str) -> int:
    return int(known[column].dropna().index.get_level_values("iteration").max())
