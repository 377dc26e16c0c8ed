"""Whether a change removes the first plateau, that at chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, below, most, unknown
from badger_sweeps.reporting.plotting.chart import Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Numbers

from . import losses

MIN_BLOCKS = 10
"""The least number of blocks at chance that is a plateau; shorter ones are not detected (`measures.plateaus`)."""


class FirstPlateau(NamedTuple):
    """The first plateau of one arm.

    Attributes:
        arm: the arm.
        escape: iterations until each seed escaped its first plateau (the budget where it did not).
        on_plateau: whether each seed was at chance for at least `MIN_BLOCKS` blocks; a diverged seed counts.
        solved: iterations until each seed had solved the task (the budget where it did not).
    """

    arm: Arm
    escape: Numbers
    on_plateau: tuple[bool, ...]
    solved: Numbers


def compute(arm: Arm) -> FirstPlateau:
    """The first plateau of an arm."""
    least = MIN_BLOCKS * arm.run.summary.staircase.block
    on_plateau = tuple(
        outcome.escape_iteration is None or outcome.escape_iteration >= least for outcome in arm.outcomes
    )
    return FirstPlateau(arm, arm.times("escape_iteration"), on_plateau, arm.times("solved_iteration"))


def findings(before: FirstPlateau, after: FirstPlateau, change: str) -> list[Finding]:
    """The findings that a change shortens the first plateau, and that it removes it where there was one before."""
    medians = f"medians {np.median(before.escape):.0f} and {np.median(after.escape):.0f}"
    never = sum(outcome.escape_iteration is None for outcome in after.arm.outcomes)
    censored = f"; {never} of {len(after.escape)} seeds with it never escape and count as the budget" if never else ""
    sooner = below(
        f"with {change} a seed escapes its first plateau sooner", after.escape - before.escape, 0,
        f"iterations, mean difference paired by seed ({medians}{censored})",
    )  # fmt: skip
    statement = f"with {change} there is no plateau at chance: seeds escape within {MIN_BLOCKS} blocks"
    if 2 * sum(before.on_plateau) <= len(before.on_plateau):
        why = (
            f"has nothing to remove: without it {sum(before.on_plateau)} of {len(before.on_plateau)} seeds take longer"
        )
        gone = unknown(statement, why)
    else:
        count = f"of seeds (without it {sum(before.on_plateau)} of {len(before.on_plateau)} take longer)"
        gone = most(statement, [not on_plateau for on_plateau in after.on_plateau], count)
    return [sooner, gone]


def panels(arms: Sequence[FirstPlateau]) -> list[Panel]:
    """The panels of the loss over a logarithmic axis, of the escape times, and of the times to solve the task."""
    names = [losses.label(plateau.arm.name) for plateau in arms]
    return [
        losses.panel([plateau.arm for plateau in arms], "Loss: every seed and the median", x_log=True),
        Panel(
            "Escaping the first plateau", "", "iterations", groups([plateau.escape for plateau in arms], names),
            ticks=names,
        ),
        Panel(
            "Solving the task", "", "iterations", groups([plateau.solved for plateau in arms], names), ticks=names,
            y_range=(0, 1.05 * float(np.max([plateau.solved.max() for plateau in arms]))),
        ),
    ]  # fmt: skip
