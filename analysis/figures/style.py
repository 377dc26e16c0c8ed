"""How all figures look."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.colors import qualitative, sample_colorscale

FONT = {"family": "system-ui, sans-serif", "size": 13}


def configuration_color(position: int) -> str:
    """The colour of the configuration at this place of the table."""
    return str(qualitative.Safe[position % len(qualitative.Safe)])


def rung_color(rung: float) -> str:
    """The colour of a rung: dark where nothing is solved, light where everything is."""
    return str(sample_colorscale("Viridis", [1 - rung])[0])


def apply_to(figure: go.Figure, height: int) -> go.Figure:
    """Give a figure the common look."""
    figure.update_layout(
        template="plotly_white",
        font=FONT,
        height=height,
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        hovermode="closest",
    )
    return figure


def translucent(color: str, opacity: float) -> str:
    """An ``rgb(...)`` colour with an opacity."""
    return color.replace("rgb(", "rgba(").replace(")", f",{opacity})")
