"""How all figures look, and how they are written into a page."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.colors import sample_colorscale

FONT = {"family": "system-ui, sans-serif", "size": 13}
Spec = dict[str, Any]
"""A figure as Plotly's own mapping of `data` and `layout`: for many curves, of which `go.Figure` checks each."""


COLORS = (
    "rgb(68,119,170)", "rgb(238,102,119)", "rgb(34,136,51)", "rgb(170,51,119)", "rgb(204,170,40)", "rgb(80,180,215)",
    "rgb(187,85,0)", "rgb(125,125,125)", "rgb(110,90,200)", "rgb(140,140,40)",
)  # fmt: skip
"""Seen on white and on black; the first six nearly Tol's "bright", which the colour-blind tell apart."""


def configuration_color(position: int) -> str:
    """The colour of the configuration at this place of the table."""
    return COLORS[position % len(COLORS)]


def level_color(level: float) -> str:
    """The colour of a level: dark where nothing is solved, light where everything is."""
    return str(sample_colorscale("Viridis", [1 - level])[0])


def apply_to(figure: go.Figure, height: int) -> go.Figure:
    """Give a figure the common look."""
    figure.update_layout(template="plotly_white", **_look(height))
    return figure


def figure_of(traces: list[Spec], height: int, **layout: Any) -> Spec:
    """A figure in the common look, of traces that are not checked."""
    return {"data": traces, "layout": {**_look(height), **layout}}


def translucent(color: str, opacity: float) -> str:
    """An ``rgb(...)`` colour with an opacity."""
    return color.replace("rgb(", "rgba(").replace(")", f",{opacity})")


def plain(text: str) -> str:
    """Text that Plotly shows as it is, rather than as its markup or as a template."""
    return escape(text, quote=False).replace("%{", "%&#123;")


def packed(values: ArrayLike, dtype: str = "f4") -> Spec:
    """Numbers as Plotly's typed array, a third of their size in digits; `f4` has seven digits."""
    numbers = np.ascontiguousarray(values, dtype=f"<{dtype}")
    return {"dtype": dtype, "bdata": base64.b64encode(numbers.tobytes()).decode()}


def along(x: ArrayLike) -> Spec:
    """The `x` of a trace; of evenly spaced points the first and the distance are enough."""
    x = np.asarray(x, dtype=float)
    if len(x) > 1 and np.ptp(np.diff(x)) == 0:
        return {"x0": float(x[0]), "dx": float(x[1] - x[0])}
    return {"x": packed(x, "f8")}


def to_json(figure: go.Figure | Spec) -> str:
    """The figure for a page, which brings its own template: one for light and one for dark surroundings."""
    content = json.loads(figure.to_json()) if isinstance(figure, go.Figure) else figure
    for name in ("template", "plot_bgcolor", "paper_bgcolor"):
        content["layout"].pop(name, None)
    return json.dumps({"data": content["data"], "layout": content["layout"]}, separators=(",", ":"), allow_nan=False)


def _look(height: int) -> Spec:
    return {"font": FONT, "height": height, "margin": {"l": 60, "r": 20, "t": 30, "b": 50}, "hovermode": "closest"}
