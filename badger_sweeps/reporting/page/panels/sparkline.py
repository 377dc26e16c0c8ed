"""Sparklines: loss curves of the height of a line of text."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from badger_sweeps.reporting.page.panels.measures import bin_means
from badger_sweeps.runs.history import read_history

POINTS = 60
WIDTH, HEIGHT = 96, 24


def compute(history: pd.DataFrame) -> NDArray[np.float64]:
    """The median over seeds of the loss, in means of equally many iterations, at most `POINTS`."""
    losses = history.pivot(index="seed", columns="iteration", values="loss").to_numpy(dtype=float)
    means, _ = bin_means(losses, POINTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN after all seeds have diverged
        return np.asarray(np.nanmedian(means, axis=0))


def of_run(folder: Path) -> NDArray[np.float64] | None:
    """The same for the run in a folder; None if its history cannot be read."""
    try:
        return compute(read_history(folder, ["loss"]))
    except (OSError, ValueError):
        return None


def draw(median: NDArray[np.float64] | None) -> Markup:
    """The curve as an SVG image, from chance (top) to 0 (bottom); empty if there are no values."""
    known = np.array([]) if median is None else median[np.isfinite(median)]
    if not len(known):
        return Markup("")
    highest = max(1.0, float(known.max()))
    x = np.linspace(1, WIDTH - 1, len(known)) if len(known) > 1 else np.array([WIDTH / 2])
    y = 1 + (HEIGHT - 2) * (1 - known / highest)
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
    return Markup(
        '<svg class="sparkline" role="img" width="{}" height="{}" viewBox="0 0 {} {}" aria-label="{}">'
        '<polyline points="{}"/></svg>'
    ).format(WIDTH, HEIGHT, WIDTH, HEIGHT, f"median loss from {known[0]:.2g} to {known[-1]:.2g}", points)
