"""The panel of Kaplan-Meier curves of the time to escape, one for each configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from badger_sweeps.reporting.plotting.style import Spec, configuration_color, figure_of, packed, plain, translucent
from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.statistics.survival import SurvivalCurve, kaplan_meier


class EscapeInfo(NamedTuple):
    """The curve of one configuration."""

    label: str
    curve: SurvivalCurve


def compute(runs: Sequence[Run]) -> list[EscapeInfo]:
    """The curve of every run."""
    return [
        EscapeInfo(run.label, kaplan_meier([o.escape_iteration for o in run.summary.outcomes], run.summary.budget))
        for run in runs
    ]


def draw(infos: Sequence[EscapeInfo]) -> Spec:
    """The panel: the share of seeds that have not escaped against iterations, with 95 % bands."""
    traces: list[Spec] = []
    for position, (label, curve) in enumerate(infos):
        color, label = configuration_color(position), plain(label)
        common = {"type": "scatter", "mode": "lines", "legendgroup": label, "meta": {"run": position}}
        common |= {"x": packed(curve.time), "name": label}
        hidden = {**common, "hoverinfo": "skip", "showlegend": False, "line": {"shape": "hv", "width": 0}}
        traces.append({**hidden, "y": packed(curve.high)})
        traces.append({**hidden, "y": packed(curve.low), "fill": "tonexty", "fillcolor": translucent(color, 0.15)})
        hover = f"%{{y:.0%}} have not escaped from iteration %{{x}}<extra>{label}</extra>"
        line = {"shape": "hv", "color": color, "width": 2.5}
        traces.append({**common, "y": packed(curve.surviving), "line": line, "hovertemplate": hover})
    return figure_of(
        traces,
        380,
        showlegend=True,
        xaxis={"title": {"text": "iteration"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "share of seeds that have not escaped"}, "range": [0, 1.03], "tickformat": ".0%"},
    )
