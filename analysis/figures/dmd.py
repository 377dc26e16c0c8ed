"""The document: the inner loop has no periodic modes, so that dynamic mode decomposition is of no use."""

from __future__ import annotations

from typing import NamedTuple

from analysis.arms import Arm, Arms, Numbers
from analysis.chart import Chart, Level, Panel, groups
from analysis.evidence import Finding, most, unknown
from analysis.needs import Need

CLAIM = "Dynamic mode decomposition finds no modes, because the inner loop does not exhibit any periodic behaviour."
NEEDS = (Need(("modes",), moments=2),)
ENOUGH = 0.8
"""Share of injected modes that must have been found before their absence says anything."""


class DMD(NamedTuple):
    """Of each seed, before and after training.

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
    oscillating: tuple[Numbers, Numbers]
    surrogates: tuple[Numbers, Numbers]
    power: tuple[Numbers, Numbers]
    none: tuple[Numbers, Numbers]
    r2: tuple[Numbers, Numbers]
    persistence: tuple[Numbers, Numbers]


def compute(arms: Arms) -> DMD:
    """Modes, and whether they would have been seen."""
    arm = arms["badger"]
    names = ("oscillating", "surrogates_most", "power", "none", "r2", "persistence_r2")
    return DMD(arm, *((arm.first(f"modes/{name}"), arm.last(f"modes/{name}")) for name in names))


def findings(info: DMD) -> list[Finding]:
    """That there are none after training; beside it the untrained network."""
    made = []
    for when, moment in enumerate(("after training", "before training")):
        at = 1 - when
        more = info.oscillating[at] > info.surrogates[at]
        seen = [
            None if not present and power < ENOUGH else not bool(present)
            for present, power in zip(more, info.power[at], strict=True)
        ]
        statement = f"the inner loop has no periodic modes {moment}"
        weak = sum(flag is None for flag in seen)
        unit = f"of seeds where a mode would have been found ({weak} of {len(seen)} seeds could not tell)"
        finding = most(statement, seen, unit)
        if weak == len(seen):
            finding = unknown(statement, "had no seed in which an injected mode would have been found")
        made.append(finding if at else finding.beside())
    return made


def draw(info: DMD) -> Chart:
    """Modes against surrogates, power, and how well a linear step predicts."""
    names = ["before", "after training"]
    found = Panel("Modes that oscillate and last", "", "count", ticks=[*names, "surrogates, after"])
    found.marks += groups([*info.oscillating, info.surrogates[1]], found.ticks or [])
    power = Panel(
        "Would a mode have been found?", "", "share of injected modes", [Level(ENOUGH, "needed")], ticks=names
    )
    power.marks += groups(info.power, names)
    power.y_range = (-0.05, 1.05)
    linear = Panel("One step ahead", "", "R² in games not fitted", ticks=["DMD, after", "persistence, after"])
    linear.marks += groups([info.r2[1], info.persistence[1]], linear.ticks or [])
    return Chart(
        [found, power, linear],
        "Hidden states of all experts along the inner loop, 32 games pooled, reduced to the rank of the optimal hard "
        "threshold. Surrogates: the same steps in random order.",
        columns=3,
    )
