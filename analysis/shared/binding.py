"""Panels of a measure in several arms, over training and over inner steps."""

from __future__ import annotations

from badger_sweeps.reporting.plotting.chart import Panel, seeds
from badger_sweeps.reporting.reading.arms import Arms, Curve

from . import losses


def panel(arms: Arms, column: str, title: str) -> Panel:
    """The panel of a measure over training in all arms: every seed, and the median."""
    made = Panel(title, "iteration", "bits")
    for color, (name, arm) in enumerate(arms.items()):
        made.marks += seeds(arm.curve(column), color, losses.label(name))
    return made


def along(curves: dict[str, Curve], title: str) -> Panel:
    """The panel of curves over inner steps: every seed, and the median."""
    made = Panel(title, "inner step", "bits")
    for color, (name, curve) in enumerate(curves.items()):
        made.marks += seeds(curve, color, name)
    return made
