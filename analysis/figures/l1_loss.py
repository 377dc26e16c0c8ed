"""The document: an L1 loss makes the LSTM meta-learner behave otherwise, but not converge faster or lower."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.arms import Arm, Arms, Numbers
from analysis.chart import Chart, Panel, groups
from analysis.evidence import Finding, above, below, unknown
from analysis.figures import binding, losses
from badger_sweeps.measures.estimates import FEWEST_PAIRS

CLAIM = (
    "Training the LSTM meta-learner on the L1 norm instead of the mean squared error shows different behaviour, but "
    "not faster overall convergence or a lower error."
)
MARGIN = 0.1
"""Of the mean with squares: a smaller gain than this is none."""


class L1Loss(NamedTuple):
    """By arm, both judged alike: by the errors on the fixed games, not each by its own loss.

    Attributes:
        arms: mse and l1.
        escape: iterations until the squared error has fallen by a quarter of a rung.
        solved: iterations until it is below a quarter of a rung (the budget where it does not get there).
        squares: final normalised squared error.
        absolute: final normalised absolute error.
        learned: of the seeds of `mse`, how many solved the task.
    """

    arms: Arms
    escape: dict[str, Numbers]
    solved: dict[str, Numbers]
    squares: dict[str, Numbers]
    absolute: dict[str, Numbers]
    learned: int


def compute(arms: Arms) -> L1Loss:
    """Times and both errors of both arms."""
    tolerance = 0.25 / arms["mse"].dims
    solved = {name: _first_below(arm, tolerance) for name, arm in arms.items()}
    return L1Loss(
        arms=arms,
        escape={name: _first_below(arm, 1 - tolerance) for name, arm in arms.items()},
        solved=solved,
        squares={name: arm.last("guess/mse") for name, arm in arms.items()},
        absolute={name: arm.last("guess/l1") for name, arm in arms.items()},
        learned=int((solved["mse"] < arms["mse"].budget).sum()),
    )


def findings(info: L1Loss) -> list[Finding]:
    """The claim's parts: that something differs, and that nothing of it is a gain."""
    if info.learned < FEWEST_PAIRS:
        why = f"needs seeds that solve the task with squares, and there are {info.learned}"
        return [unknown("l1 behaves otherwise without being better", why)]
    later = info.escape["l1"] - info.escape["mse"]
    differs = (above if later.mean() >= 0 else below)(
        "chance is left at another time", later, 0, "iterations, l1 minus mse, paired by seed"
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
            losses.panel([info.arms["l1"]], "L1 loss", rungs=False, first=names.index("l1")),
            losses.panel([info.arms["mse"]], "Squared loss", first=names.index("mse")),
            Panel("Leaving chance", "", "iterations", groups(list(info.escape.values()), names), ticks=names),
            *both,
            Panel("Solving the task", "", "iterations", groups(list(info.solved.values()), names), ticks=names),
        ],
        "LSTM meta-learner (one layer of 64), with 10 inner steps: with 20 or 40 it does not leave chance within this "
        "budget. Top: each by the loss that it is trained on. Bottom: both by either error, on the same fixed games. "
        "Times are of the squared error on these games, for both arms.",
        columns=3,
    )


def _no_gain(statement: str, values: dict[str, Numbers], unit: str) -> Finding:
    """Not lower than with squares by more than the margin."""
    margin = MARGIN * float(np.nanmean(values["mse"]))
    return above(
        statement,
        values["l1"] - values["mse"],
        -margin,
        f"{unit}, l1 minus mse; the bound is a tenth less than mse has",
    )


def _first_below(arm: Arm, level: float) -> Numbers:
    """The first of three measurements in a row of the squared error below a level; the budget where there are none."""
    curve = arm.curve("guess/mse")
    low = np.nan_to_num(curve.y, nan=np.inf) < level
    three = low[:, :-2] & low[:, 1:-1] & low[:, 2:]
    return np.array([curve.x[row.argmax()] if row.any() else arm.budget for row in three], dtype=float)
