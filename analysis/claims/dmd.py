"""The document: the inner loop has no periodic modes, so that dynamic mode decomposition is of no use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, few, unknown
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

CLAIM = "Dynamic mode decomposition finds no modes, because the inner loop does not exhibit any periodic behaviour."
REQUIRED_MEASURES = (RequiredMeasures(("modes",), snapshots=1, settings=("measures.modes.games=16",)),)
SURROGATES = 19
"""Surrogates of each seed (`measures.dynamics.oscillations`): by chance, one seed in twenty has more modes than all."""
ENOUGH = 0.8
"""The share of injected modes that must be found before the absence of modes is evidence."""


class DMDInfo(NamedTuple):
    """Dynamic mode decomposition of the inner loop after training, of each seed.

    Attributes:
        arm: the arm.
        oscillating: number of modes that oscillate and persist.
        surrogates: the largest such number among time-shuffled surrogates.
        power: share of injected modes that are found.
        none: 1 where there are no more modes than in surrogates, and the power suffices.
        r2: explained variance of the prediction one step ahead, in games that were not fitted.
        persistence: explained variance of the prediction that nothing changes.
    """

    arm: Arm
    oscillating: Numbers
    surrogates: Numbers
    power: Numbers
    none: Numbers
    r2: Numbers
    persistence: Numbers


def compute(arms: Arms) -> DMDInfo:
    """The number of modes, and the power to find them."""
    arm = arms["badger"]
    names = ("oscillating", "surrogates_most", "power", "none", "r2", "persistence_r2")
    return DMDInfo(arm, *(arm.last(f"modes/{name}") for name in names))


def findings(info: DMDInfo) -> list[Finding]:
    """The claim, tested on the seeds in which an injected mode would have been found."""
    statement = "the inner loop has no periodic modes after training"
    present = info.oscillating > info.surrogates
    has_modes = [
        None if np.isnan(count) or (not found and not power >= ENOUGH) else bool(found)
        for count, found, power in zip(info.oscillating, present, info.power, strict=True)
    ]
    weak = sum(flag is None for flag in has_modes)
    if weak == len(has_modes):
        return [unknown(statement, "had no seed in which an injected mode would have been found")]
    unit = f"of seeds have more than all {SURROGATES} surrogates ({weak} of {len(has_modes)} could not be tested)"
    return [few(statement, has_modes, 1 / (SURROGATES + 1), unit)]


def draw(info: DMDInfo) -> Chart:
    """The figure: modes and those of surrogates, power, and prediction one step ahead."""
    names = ["after training", "most of surrogates"]
    found = Panel("Modes that oscillate and persist", "", "count", ticks=names)
    found.marks += groups([info.oscillating, info.surrogates], names)
    power = Panel("Power to find a mode", "", "share of injected modes", [Level(ENOUGH, "required")])
    power.marks += groups([info.power], ["after training"])
    power.ticks, power.y_range = ["after training"], (-0.05, 1.05)
    linear = Panel("Prediction one step ahead", "", "R² in games not fitted", ticks=["DMD", "nothing changes"])
    linear.marks += groups([info.r2, info.persistence], linear.ticks or [])
    return Chart(
        [found, power, linear],
        "Hidden states of all experts along the inner loop, 16 games pooled, reduced to the rank of the optimal hard "
        f"threshold. Surrogates: the same steps in random order, {SURROGATES} times, which destroys slow decay as well "
        "as oscillation. For each seed, the number of modes, and in parentheses the largest number of its surrogates: "
        + "; ".join(f"{count:.0f} ({most:.0f})" for count, most in zip(info.oscillating, info.surrogates, strict=True))
        + ".",
        columns=3,
    )
