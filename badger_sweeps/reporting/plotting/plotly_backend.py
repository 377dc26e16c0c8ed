"""The Plotly backend: charts as mappings for the page."""

from __future__ import annotations

import numpy as np

from badger_sweeps.reporting.plotting.chart import GREY, Area, Chart, Level, Line, Mark, Panel
from badger_sweeps.reporting.plotting.style import Spec, configuration_color, figure_of, packed, plain, translucent

PANEL_HEIGHT = 320
GAP = 0.1
"""Distance between columns, as a share of the figure's width."""


def draw(chart: Chart) -> Spec:
    """The chart as one Plotly figure of all panels."""
    columns = min(chart.columns, len(chart.panels))
    rows = -(-len(chart.panels) // columns)
    height_gap = 0.3 / rows if rows > 1 else 0.0
    width, height = (1 - GAP * (columns - 1)) / columns, (1 - height_gap * (rows - 1)) / rows
    traces: list[Spec] = []
    layout: Spec = {"shapes": [], "annotations": []}
    in_legend: set[tuple[int, str]] = set()
    for place, panel in enumerate(chart.panels):
        row, column = divmod(place, columns)
        left, top = column * (width + GAP), 1 - row * (height + height_gap)
        number = str(place + 1) if place else ""
        layout[f"xaxis{number}"] = _x_axis(panel, f"y{number}", [left, left + width])
        layout[f"yaxis{number}"] = _y_axis(panel, f"x{number}", [max(0.0, top - height), top])
        layout["annotations"].append(
            {"text": plain(panel.title), "x": left + width / 2, "y": top, "xref": "paper", "yref": "paper",
             "xanchor": "center", "yanchor": "bottom", "showarrow": False}
        )  # fmt: skip
        for mark in panel.marks:
            if isinstance(mark, Level):
                _level(layout, mark, number, panel)
                continue
            new = bool(mark.label) and (mark.color, mark.label) not in in_legend
            in_legend.add((mark.color, mark.label))
            axes = {"xaxis": f"x{number}", "yaxis": f"y{number}", "showlegend": new}
            traces += [{**trace, **axes} if last else {**trace, **axes, "showlegend": False}
                       for last, trace in _traces(mark)]  # fmt: skip
    layout["legend"] = {"orientation": "h", "y": -0.2 / rows, "yanchor": "top"}
    return figure_of(traces, 110 + PANEL_HEIGHT * rows, **layout)


def _traces(mark: Mark) -> list[tuple[bool, Spec]]:
    """The traces of a mark, each with whether it appears in the legend."""
    if isinstance(mark, Level):
        return []
    name = plain(mark.label)
    color = _color(mark.color)
    common: Spec = {"type": "scatter", "x": packed(mark.x, "f8"), "name": name, "legendgroup": name or None}
    if isinstance(mark, Area):
        edge = {**common, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        fill = {"fill": "tonexty", "fillcolor": translucent(color, 0.2)}
        return [(False, {**edge, "y": packed(mark.low)}), (True, {**edge, "y": packed(mark.high), **fill})]
    common["hovertemplate"] = f"%{{x:.4g}}: %{{y:.4g}}<extra>{name}</extra>"
    if isinstance(mark, Line):
        style = {"color": color, "width": mark.width, "dash": "dash" if mark.dashed else "solid"}
        return [(True, {**common, "mode": "lines", "y": packed(mark.y), "line": style, "opacity": mark.opacity})]
    marker = {
        "color": color,
        "size": mark.size,
        "opacity": mark.opacity,
        "symbol": "diamond" if mark.diamond else "circle",
    }
    trace: Spec = {**common, "mode": "markers", "y": packed(mark.y), "marker": marker}
    if mark.low is not None and mark.high is not None:
        y = np.asarray(mark.y, dtype=float)
        up, down = np.asarray(mark.high) - y, y - np.asarray(mark.low)
        trace["error_y"] = {"type": "data", "array": up.tolist(), "arrayminus": down.tolist(), "color": color}
    return [(True, trace)]


def _level(layout: Spec, level: Level, number: str, panel: Panel) -> None:
    x, y = f"x{number}", f"y{number}"
    along, across = ("x", "y") if level.upright else ("y", "x")
    axis, across_domain = (x, f"{y} domain") if level.upright else (y, f"{x} domain")
    layout["shapes"].append(
        {"type": "line", f"{along}ref": axis, f"{across}ref": across_domain, f"{along}0": level.at,
         f"{along}1": level.at, f"{across}0": 0, f"{across}1": 1,
         "line": {"width": 1, "dash": "dot", "color": "gray"}, "layer": "below"}
    )  # fmt: skip
    if level.label:
        logarithmic = panel.x_log if level.upright else panel.y_log
        at = float(np.log10(level.at)) if logarithmic else level.at  # of annotations, not of shapes
        place = {"xanchor": "left", "yanchor": "top"} if level.upright else {"xanchor": "right", "yanchor": "bottom"}
        layout["annotations"].append(
            {"text": plain(level.label), f"{along}ref": axis, f"{across}ref": across_domain, along: at, across: 1,
             "showarrow": False, "font": {"size": 11, "color": "gray"}, **place}
        )  # fmt: skip


def _x_axis(panel: Panel, anchor: str, domain: list[float]) -> Spec:
    axis: Spec = {"anchor": anchor, "domain": domain, "title": {"text": plain(panel.x)}}
    if panel.x_log:
        axis["type"] = "log"
    if panel.ticks is not None:
        axis |= {"tickvals": list(range(len(panel.ticks))), "ticktext": [plain(name) for name in panel.ticks]}
        axis["range"] = [-0.6, len(panel.ticks) - 0.4]
    if panel.square:
        axis["constrain"] = "domain"
    return axis


def _y_axis(panel: Panel, anchor: str, domain: list[float]) -> Spec:
    axis: Spec = {"anchor": anchor, "domain": domain, "title": {"text": plain(panel.y)}}
    if panel.y_log:
        axis["type"] = "log"
    if panel.y_range is not None:
        axis["range"] = list(np.log10(panel.y_range)) if panel.y_log else list(panel.y_range)
    if panel.square:
        axis["scaleanchor"] = anchor
    return axis


def _color(number: int) -> str:
    return "rgb(125,125,125)" if number == GREY else configuration_color(number)
