"""What the studies of binding information and of communication share: arms with links and without."""

from __future__ import annotations

from badger_sweeps.reporting.plotting.chart import Panel, seeds
from badger_sweeps.reporting.reading.arms import Arms, Curve

from . import losses


def panel(arms: Arms, column: str, title: str) -> Panel:
    """A measure over training in both arms, every seed and the median."""
    made = Panel(title, "iteration", "bits")
    for place, (name, arm) in enumerate(arms.items()):
        made.marks += seeds(arm.curve(column), place, losses.in_words(name))
    return made


def along(curves: dict[str, Curve], title: str) -> Panel:
    """The same over inner steps."""
    made = Panel(title, "inner step", "bits")
    for place, (name, curve) in enumerate(curves.items()):
        made.marks += seeds(curve, place, name)
    return made
