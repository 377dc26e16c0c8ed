"""Kaplan-Meier curves of the time to escape, one for each configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from analysis.figures.style import apply_to, configuration_color, translucent
from analysis.gather import FinishedRun
from badger_sweeps.measures.survival import SurvivalCurve, kaplan_meier


class EscapeInfo(NamedTuple):
    """One configuration's curve."""

    label: str
    curve: SurvivalCurve


def compute(runs: Sequence[FinishedRun]) -> list[EscapeInfo]:
    """The curve of every run."""
    return [
        EscapeInfo(run.label, kaplan_meier([o.escape_iteration for o in run.summary.outcomes], run.summary.budget))
        for run in runs
    ]


def draw(infos: Sequence[EscapeInfo]) -> go.Figure:
    """Share of seeds still at chance against iterations, with 95 % bands."""
    figure = go.Figure()
    for position, (label, curve) in enumerate(infos):
        color = configuration_color(position)
        step = {"shape": "hv", "color": color}
        hidden = {"mode": "lines", "hoverinfo": "skip", "showlegend": False, "legendgroup": label}
        no_line = {"shape": "hv", "width": 0}
        figure.add_scatter(x=curve.time, y=curve.high, line=no_line, **hidden)
        figure.add_scatter(
            x=curve.time, y=curve.low, line=no_line, fill="tonexty", fillcolor=translucent(color, 0.15), **hidden
        )
        figure.add_scatter(
            x=curve.time,
            y=curve.surviving,
            mode="lines",
            line={**step, "width": 2.5},
            name=label,
            legendgroup=label,
            hovertemplate="%{y:.0%} still at chance from iteration %{x}<extra>" + label.replace("%", "%%") + "</extra>",
        )
    figure.update_yaxes(title="share of seeds still at chance", range=[0, 1.03], tickformat=".0%")
    figure.update_xaxes(title="iteration", rangemode="tozero")
    return apply_to(figure, height=380)
