"""Whether a change removes the plateau at chance: what two of the studies ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, below, most, unknown
from badger_sweeps.reporting.plotting.chart import Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Numbers

from . import losses

LEAST = 10
"""Blocks at chance that make a plateau: fewer are not found to be one (`measures.plateaus`)."""


class FirstPlateau(NamedTuple):
    """One arm's.

    Attributes:
        arm: it.
        escape: iterations until each seed left chance (the budget where it did not).
        rested: of each seed, whether it was at chance for at least `LEAST` blocks; one that diverged was.
        solved: iterations until each seed had solved the task.
    """

    arm: Arm
    escape: Numbers
    rested: tuple[bool, ...]
    solved: Numbers


def compute(arm: Arm) -> FirstPlateau:
    """Of one arm."""
    least = LEAST * arm.run.summary.staircase.block
    rested = tuple(outcome.escape_iteration is None or outcome.escape_iteration >= least for outcome in arm.outcomes)
    return FirstPlateau(arm, arm.times("escape_iteration"), rested, arm.times("solved_iteration"))


def findings(before: FirstPlateau, after: FirstPlateau, change: str) -> list[Finding]:
    """That chance is left sooner, and that no plateau is found there any more although there was one before."""
    medians = f"medians {np.median(before.escape):.0f} and {np.median(after.escape):.0f}"
    never = sum(outcome.escape_iteration is None for outcome in after.arm.outcomes)
    stayed = f"; {never} of {len(after.escape)} seeds with it never do, and count the budget" if never else ""
    sooner = below(
        f"{change} leaves chance sooner", after.escape - before.escape, 0,
        f"iterations, mean difference paired by seed ({medians}{stayed})",
    )  # fmt: skip
    statement = f"with {change} there is no plateau at chance: it is left within {LEAST} blocks"
    if 2 * sum(before.rested) <= len(before.rested):
        why = f"has nothing to remove: without it {sum(before.rested)} of {len(before.rested)} seeds take longer"
        gone = unknown(statement, why)
    else:
        count = f"of seeds (without it {sum(before.rested)} of {len(before.rested)} take longer)"
        gone = most(statement, [not rested for rested in after.rested], count)
    return [sooner, gone]


def panels(arms: Sequence[FirstPlateau]) -> list[Panel]:
    """The first iterations on a logarithmic axis, and the times."""
    names = [losses.in_words(own.arm.name) for own in arms]
    return [
        losses.panel([own.arm for own in arms], "Loss: every seed and the median", x_log=True),
        Panel("Leaving chance", "", "iterations", groups([own.escape for own in arms], names), ticks=names),
        Panel(
            "Solving the task", "", "iterations", groups([own.solved for own in arms], names), ticks=names,
            y_range=(0, 1.05 * float(np.max([own.solved.max() for own in arms]))),
        ),
    ]  # fmt: skip
