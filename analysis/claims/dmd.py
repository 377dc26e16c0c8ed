"""The document: the inner loop has no periodic modes, so that dynamic mode decomposition is of no use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, few, unknown
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

CLAIM = "Dynamic mode decomposition finds no modes, because the inner loop does not exhibit any periodic behaviour."
REQUIRED_MEASURES = (RequiredMeasures(("modes",), moments=1, settings=("measures.modes.games=16",)),)
SURROGATES = 19
"""Drawn for each seed (`measures.dynamics.oscillations`): one in twenty has more than all of them by chance."""
ENOUGH = 0.8
"""Share of injected modes that must have been found before their absence says anything."""


class DMD(NamedTuple):
    """Of each seed, after training.

    Attributes:
        arm: it.
        oscillating: modes that oscillate and last.
        surrogates: the most among time-shuffled surrogates.
        power: share of injected modes that would have been found.
        none: 1 where there are no more than among surrogates, and the power suffices.
        r2: explained variance of one step ahead, in games that were not fitted.
        persistence: the same for the guess that nothing changes.
    """

    arm: Arm
    oscillating: Numbers
    surrogates: Numbers
    power: Numbers
    none: Numbers
    r2: Numbers
    persistence: Numbers


def compute(arms: Arms) -> DMD:
    """Modes, and whether they would have been seen."""
    arm = arms["badger"]
    names = ("oscillating", "surrogates_most", "power", "none", "r2", "persistence_r2")
    return DMD(arm, *(arm.last(f"modes/{name}") for name in names))


def findings(info: DMD) -> list[Finding]:
    """That there are none, where they would have been found."""
    statement = "the inner loop has no periodic modes after training"
    present = info.oscillating > info.surrogates
    seen = [
        None if np.isnan(count) or (not found and not power >= ENOUGH) else bool(found)
        for count, found, power in zip(info.oscillating, present, info.power, strict=True)
    ]
    weak = sum(flag is None for flag in seen)
    if weak == len(seen):
        return [unknown(statement, "had no seed in which an injected mode would have been found")]
    unit = f"of seeds have more than all {SURROGATES} surrogates ({weak} of {len(seen)} could not tell)"
    return [few(statement, seen, 1 / (SURROGATES + 1), unit)]


def draw(info: DMD) -> Chart:
    """Modes against surrogates, power, and how well a linear step predicts."""
    names = ["after training", "most of surrogates"]
    found = Panel("Modes that oscillate and last", "", "count", ticks=names)
    found.marks += groups([info.oscillating, info.surrogates], names)
    power = Panel("Would a mode have been found?", "", "share of injected modes", [Level(ENOUGH, "needed")])
    power.marks += groups([info.power], ["after training"])
    power.ticks, power.y_range = ["after training"], (-0.05, 1.05)
    linear = Panel("One step ahead", "", "R² in games not fitted", ticks=["DMD", "nothing changes"])
    linear.marks += groups([info.r2, info.persistence], linear.ticks or [])
    return Chart(
        [found, power, linear],
        "Hidden states of all experts along the inner loop, 16 games pooled, reduced to the rank of the optimal hard "
        f"threshold. Surrogates: the same steps in random order, {SURROGATES} times, which destroys slow decay as well "
        "as oscillation. By seed, modes and the most of its surrogates: "
        + "; ".join(f"{own:.0f} ({most:.0f})" for own, most in zip(info.oscillating, info.surrogates, strict=True))
        + ".",
        columns=3,
    )
