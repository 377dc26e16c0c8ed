"""The document: an L1 loss makes the LSTM meta-learner behave otherwise, but not converge faster or lower."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.arms import Arms, Numbers
from analysis.chart import Chart, Panel, groups
from analysis.evidence import Finding, above, below, unknown
from analysis.figures import binding, losses

CLAIM = (
    "Training the LSTM meta-learner on the L1 norm instead of the mean squared error shows different behaviour, but "
    "not "
    "faster overall convergence or a lower error."
)
MARGIN = 0.1
"""Of the mean with squares: a smaller gain than this is none."""


class L1Loss(NamedTuple):
    """Differences, l1 minus mse, paired by seed.

    Attributes:
        arms: mse and l1.
        plateaus: iterations on plateaus, by arm.
        solved: iterations until the task was solved (the budget where it was not), by arm.
        squares: final normalised squared error on the fixed games, by arm.
        absolute: final normalised absolute error, by arm.
    """

    arms: Arms
    plateaus: dict[str, Numbers]
    solved: dict[str, Numbers]
    squares: dict[str, Numbers]
    absolute: dict[str, Numbers]


def compute(arms: Arms) -> L1Loss:
    """Times by the error that each arm is trained on, and both errors of both arms."""
    return L1Loss(
        arms=arms,
        plateaus={name: arm.times("plateau_iterations") for name, arm in arms.items()},
        solved={name: arm.times("solved_iteration") for name, arm in arms.items()},
        squares={name: arm.last("guess/mse") for name, arm in arms.items()},
        absolute={name: arm.last("guess/l1") for name, arm in arms.items()},
    )


def findings(info: L1Loss) -> list[Finding]:
    """The claim's parts: that something differs, and that nothing of it is a gain."""
    if all(outcome.escape_iteration is None for arm in info.arms.values() for outcome in arm.outcomes):
        return [unknown("something differs", "no seed of either arm ever left chance")]
    rest = info.plateaus["l1"] - info.plateaus["mse"]
    sign = 1 if np.nanmean(rest) >= 0 else -1
    differs = (above if sign > 0 else below)(
        "the time on plateaus differs", rest, 0, "iterations, l1 minus mse, paired by seed"
    )
    return [
        differs,
        _no_gain("l1 does not solve the task faster", info.solved, "iterations"),
        _no_gain("l1 does not end with a lower squared error", info.squares, "squared error"),
        _no_gain("l1 does not end with a lower absolute error", info.absolute, "absolute error"),
    ]


def draw(info: L1Loss) -> Chart:
    """Both losses, as in the document, and both errors of both."""
    names = list(info.arms)
    both = [binding.panel(info.arms, column, title) for column, title in (
        ("guess/mse", "Squared error of both"), ("guess/l1", "Absolute error of both")
    )]  # fmt: skip
    for panel in both:
        panel.y = "normalised (chance = 1)"
    return Chart(
        [
            losses.panel([info.arms["l1"]], "L1 loss"),
            losses.panel([info.arms["mse"]], "Squared loss"),
            Panel("Time on plateaus", "", "iterations", groups(list(info.plateaus.values()), names), ticks=names),
            *both,
            Panel("Solving the task", "", "iterations", groups(list(info.solved.values()), names), ticks=names),
        ],
        "LSTM meta-learner (one layer of 64). Top: each by the loss that it is trained on. Bottom: both by either "
        "error, "
        "on the same fixed games.",
        columns=3,
    )


def _no_gain(statement: str, values: dict[str, Numbers], unit: str) -> Finding:
    """Not lower than with squares by more than the margin."""
    margin = MARGIN * float(np.nanmean(values["mse"]))
    return above(
        statement, values["l1"] - values["mse"], -margin, f"{unit}, l1 minus mse (no gain: above a tenth less)"
    )
