"""The loss of every arm, with the levels of its staircase: a panel that many studies have."""

from __future__ import annotations

from collections.abc import Sequence

from badger_sweeps.reporting.plotting.chart import Level, Mark, Panel, seeds
from badger_sweeps.reporting.reading.arms import Arm

MOST_LEVELS = 5
"""Levels that are drawn; of a finer staircase none is, as its lines would be all that is seen."""


def panel(
    arms: Sequence[Arm], title: str = "Loss", x_log: bool = False, show_levels: bool = True, first: int = 0
) -> Panel:
    """Block means of the training loss (chance = 1): every seed, and the median.

    Args:
        arms: whose.
        title: of the panel.
        x_log: whether iterations are on a logarithmic axis.
        show_levels: whether the levels of the squared error's staircase are drawn.
        first: the first arm's colour.
    """
    parts = max(arm.run.summary.staircase.parts for arm in arms)
    levels = [k / parts for k in range(parts + 1)] if show_levels and parts <= MOST_LEVELS else [0.0, 1.0]
    marks: list[Mark] = [Level(level) for level in levels]
    for place, arm in enumerate(arms, start=first):
        marks += seeds(arm.blocks(), place, in_words(arm.name))
    return Panel(title, "iteration", "loss (chance = 1)", marks, x_log=x_log)


def in_words(name: str) -> str:
    """An arm's name as figures write it."""
    return name.replace("_", " ")
