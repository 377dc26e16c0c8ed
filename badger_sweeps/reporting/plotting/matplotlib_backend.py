"""The Matplotlib backend: charts as PNG files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from badger_sweeps.core.files import replacing
from badger_sweeps.reporting.plotting.chart import GREY, Area, Chart, Dots, Level, Line, Mark, Panel
from badger_sweeps.reporting.plotting.style import configuration_color

PANEL = (5.2, 3.3)
"""Width and height of a panel in inches."""
DPI = 90
MOST_LETTERS = 36
"""Letters of all names along an axis together, above which the names are tilted."""
RC_PARAMS: dict[str, Any] = {
    "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False,
    "legend.framealpha": 0.7, "legend.edgecolor": "none", "legend.fontsize": 8,
    "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.5, "svg.hashsalt": "badger_sweeps",
}  # fmt: skip


def write(chart: Chart, path: Path) -> None:
    """Write the chart as a PNG file; equal charts give equal bytes."""
    columns = min(chart.columns, len(chart.panels))
    rows = -(-len(chart.panels) // columns)
    with matplotlib.rc_context(cast(Any, RC_PARAMS)):
        figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), layout="constrained")
        for place, panel in enumerate(chart.panels, start=1):
            _panel(figure.add_subplot(rows, columns, place), panel)
        drawn = BytesIO()
        figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
    # A palette of 256 colours looks the same in a third of the bytes: the document's figures are in git.
    small = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    with replacing(path) as file:
        small.save(file, format="PNG", optimize=True)


def _panel(axes: Axes, panel: Panel) -> None:
    for mark in panel.marks:
        _mark(axes, mark)
    axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
    if panel.x_log:
        axes.set_xscale("log")
    if panel.y_log:
        axes.set_yscale("log")
    if panel.ticks is not None:
        crowded = sum(map(len, panel.ticks)) > MOST_LETTERS
        axes.set_xticks(range(len(panel.ticks)), panel.ticks)
        axes.tick_params(axis="x", labelrotation=18 if crowded else 0)
        axes.set_xlim(-0.6, len(panel.ticks) - 0.4)
    if panel.y_range is not None:
        axes.set_ylim(*panel.y_range)
    if panel.square:
        axes.set_aspect("equal")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="best")


def _mark(axes: Axes, mark: Mark) -> None:
    match mark:
        case Line():
            style = "--" if mark.dashed else "-"
            axes.plot(
                np.asarray(mark.x), np.asarray(mark.y), style, color=_color(mark.color), linewidth=mark.width,
                alpha=mark.opacity, label=mark.label or None,
            )  # fmt: skip
        case Dots():
            x, y = np.asarray(mark.x, dtype=float), np.asarray(mark.y, dtype=float)
            errors = None
            if mark.low is not None and mark.high is not None:
                errors = np.stack([y - np.asarray(mark.low), np.asarray(mark.high) - y]).clip(min=0)
            axes.errorbar(
                x, y, yerr=errors, fmt="D" if mark.diamond else "o", color=_color(mark.color), alpha=mark.opacity,
                markersize=mark.size * 0.7, markeredgewidth=0, capsize=3, label=mark.label or None,
            )  # fmt: skip
        case Area():
            axes.fill_between(
                np.asarray(mark.x), np.asarray(mark.low), np.asarray(mark.high), color=_color(mark.color), alpha=0.18,
                linewidth=0, label=mark.label or None,
            )  # fmt: skip
        case Level():
            draw = axes.axvline if mark.upright else axes.axhline
            draw(mark.at, color="#666", linewidth=0.9, linestyle=":")
            if mark.label and mark.upright:
                axes.annotate(
                    mark.label, (mark.at, 1), xycoords=("data", "axes fraction"), xytext=(3, -2), va="top",
                    textcoords="offset points", fontsize=8, color="#555", rotation=90,
                )  # fmt: skip
            elif mark.label:
                axes.annotate(
                    mark.label, (1, mark.at), xycoords=("axes fraction", "data"), xytext=(-3, 2), ha="right",
                    textcoords="offset points", fontsize=8, color="#555",
                )  # fmt: skip


def _color(number: int) -> tuple[float, float, float]:
    if number == GREY:
        return (0.45, 0.45, 0.45)
    red, green, blue = configuration_color(number).removeprefix("rgb(").removesuffix(")").split(",")
    return (int(red) / 255, int(green) / 255, int(blue) / 255)
