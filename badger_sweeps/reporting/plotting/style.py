"""The common style of all figures, and their encoding for a page."""

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
"""A figure as Plotly's mapping of `data` and `layout`. Unlike `go.Figure` it is not validated, which is slow for many
curves."""

COLORS = (
    "rgb(68,119,170)", "rgb(238,102,119)", "rgb(34,136,51)", "rgb(170,51,119)", "rgb(204,170,40)", "rgb(80,180,215)",
    "rgb(187,85,0)", "rgb(125,125,125)", "rgb(110,90,200)", "rgb(140,140,40)",
)  # fmt: skip
"""Colours visible on white and on black; the first six are close to Tol's "bright" scheme for the colour-blind."""


def configuration_color(position: int) -> str:
    """The colour of the configuration in this row of the table, from 0."""
    return COLORS[position % len(COLORS)]


def level_color(level: float) -> str:
    """The colour of a level of the staircase: from dark for 1 (nothing is solved) to light for 0 (all is solved)."""
    return str(sample_colorscale("Viridis", [1 - level])[0])


def apply_to(figure: go.Figure, height: int) -> go.Figure:
    """Apply the common style to a figure."""
    figure.update_layout(template="plotly_white", **_common_layout(height))
    return figure


def figure_of(traces: list[Spec], height: int, **layout: Any) -> Spec:
    """A figure in the common style, of traces that are not validated."""
    return {"data": traces, "layout": {**_common_layout(height), **layout}}


def translucent(color: str, opacity: float) -> str:
    """An ``rgb(...)`` colour with an opacity."""
    return color.replace("rgb(", "rgba(").replace(")", f",{opacity})")


def plain(text: str) -> str:
    """The text, escaped so that Plotly shows it literally and not as markup or as a template."""
    return escape(text, quote=False).replace("%{", "%&#123;")


def packed(values: ArrayLike, dtype: str = "f4") -> Spec:
    """Numbers as Plotly's typed array, a third of the size of decimal text; `f4` keeps seven digits."""
    numbers = np.ascontiguousarray(values, dtype=f"<{dtype}")
    return {"dtype": dtype, "bdata": base64.b64encode(numbers.tobytes()).decode()}


def along(x: ArrayLike) -> Spec:
    """The `x` of a trace; for evenly spaced points, only the first one and the distance."""
    x = np.asarray(x, dtype=float)
    if len(x) > 1 and np.ptp(np.diff(x)) == 0:
        return {"x0": float(x[0]), "dx": float(x[1] - x[0])}
    return {"x": packed(x, "f8")}


def to_json(figure: go.Figure | Spec) -> str:
    """The figure as JSON, without template and background: the page has a light and a dark template of its own."""
    content = json.loads(figure.to_json()) if isinstance(figure, go.Figure) else figure
    for name in ("template", "plot_bgcolor", "paper_bgcolor"):
        content["layout"].pop(name, None)
    return json.dumps({"data": content["data"], "layout": content["layout"]}, separators=(",", ":"), allow_nan=False)


def _common_layout(height: int) -> Spec:
    return {"font": FONT, "height": height, "margin": {"l": 60, "r": 20, "t": 30, "b": 50}, "hovermode": "closest"}
