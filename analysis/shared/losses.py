"""The panel of the training loss, with the levels of the staircase."""

from __future__ import annotations

from collections.abc import Sequence

from badger_sweeps.reporting.plotting.chart import Level, Mark, Panel, seeds
from badger_sweeps.reporting.reading.arms import Arm

MOST_LEVELS = 5
"""The most levels that are drawn; the lines of a finer staircase would hide the curves."""


def panel(
    arms: Sequence[Arm], title: str = "Loss", x_log: bool = False, show_levels: bool = True, first: int = 0
) -> Panel:
    """The panel of the training loss in block means (chance = 1): every seed, and the median.

    Args:
        arms: the arms drawn.
        title: of the panel.
        x_log: whether iterations are on a logarithmic axis.
        show_levels: whether the levels of the squared error's staircase are drawn.
        first: colour number of the first arm.
    """
    parts = max(arm.run.summary.staircase.parts for arm in arms)
    levels = [k / parts for k in range(parts + 1)] if show_levels and parts <= MOST_LEVELS else [0.0, 1.0]
    marks: list[Mark] = [Level(level) for level in levels]
    for color, arm in enumerate(arms, start=first):
        marks += seeds(arm.blocks(), color, label(arm.name))
    return Panel(title, "iteration", "loss (chance = 1)", marks, x_log=x_log)


def label(name: str) -> str:
    """The name of an arm as it appears in figures."""
    return name.replace("_", " ")
