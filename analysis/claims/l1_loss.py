"""The document: an L1 loss makes the LSTM meta-learner behave otherwise, but not converge faster or lower.

The document's one word, loss, is two choices: what training minimises and what the learner is told. It changed both at
once; the four arms are all combinations of the two, so that the difference can be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from badger_sweeps.measures.estimates import FEWEST_PAIRS
from badger_sweeps.reporting.inference.evidence import Finding, above, below, unknown
from badger_sweeps.reporting.plotting.chart import Chart, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers

from ..shared import binding, losses

CLAIM = (
    "Training the LSTM meta-learner on the L1 norm instead of the mean squared error shows different behaviour, but "
    "not faster overall convergence or a lower error."
)
REQUIRED_MEASURES = ()  # what it looks at is measured while runs train
MARGIN = 0.1
"""Of the mean with squares: a smaller gain than this is none."""
BOTH, NEITHER, MINIMISED, TOLD = "l1", "mse", "minimised_l1", "told_l1"
"""The arms: absolute errors for both, for none, for what is minimised alone, for what is told alone."""
MORE_BY_MINIMISED = "more of that difference comes with what is minimised than with what the learner is told"
MORE_BY_TOLD = "more of that difference comes with what the learner is told than with what is minimised"


class L1Loss(NamedTuple):
    """By arm, all judged alike: by the errors on the fixed games, not each by its own loss.

    Attributes:
        arms: all four.
        escape: iterations until the squared error has fallen by a quarter of a level (the budget where it does not).
        solved: iterations until it is below a quarter of a level (the budget where it does not get there).
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
    """Times and both errors of all arms."""
    tolerance = 0.25 / arms[NEITHER].dims
    solved = {name: _first_below(arm, tolerance) for name, arm in arms.items()}
    return L1Loss(
        arms=arms,
        escape={name: _first_below(arm, 1 - tolerance) for name, arm in arms.items()},
        solved=solved,
        squares={name: arm.last("guess/mse") for name, arm in arms.items()},
        absolute={name: arm.last("guess/l1") for name, arm in arms.items()},
        learned=int((solved[NEITHER] < arms[NEITHER].budget).sum()),
    )


def findings(info: L1Loss) -> list[Finding]:
    """The claim's parts: that something differs, and that nothing of it is a gain. Beside them, what makes it differ.

    The effect of each choice is its mean over both settings of the other one; the two add up, seed by seed, to the
    difference between absolute errors and squares for both.
    """
    if info.learned < FEWEST_PAIRS:
        why = f"needs seeds that solve the task with squares, and there are {info.learned}"
        return [unknown("l1 behaves otherwise without being better", why)]
    later = info.escape[BOTH] - info.escape[NEITHER]
    direction = above if later.mean() >= 0 else below
    minimised, told = effects(info.escape)
    unit = "iterations until chance is left (at most the budget), l1 minus mse, mean over both settings of the other"
    more = minimised - told
    larger = MORE_BY_MINIMISED if (more.mean() >= 0) == (later.mean() >= 0) else MORE_BY_TOLD
    return [
        direction("chance is left at another time", later, 0, "iterations, l1 minus mse, paired by seed"),
        _no_gain("l1 does not solve the task faster", info.solved, "iterations"),
        _no_gain("l1 does not end with a lower squared error", info.squares, "squared error"),
        _no_gain("l1 does not end with a lower absolute error", info.absolute, "absolute error"),
        direction("what is minimised makes a difference of that direction", minimised, 0, unit).secondary(),
        direction("what the learner is told makes a difference of that direction", told, 0, unit).secondary(),
        (above if more.mean() >= 0 else below)(
            larger, more, 0, "iterations, effect of what is minimised minus effect of what is told, paired by seed"
        ).secondary(),
    ]


def effects(values: dict[str, Numbers]) -> tuple[Numbers, Numbers]:
    """The main effects of what is minimised and of what is told, l1 minus mse, of each seed; their sum is the
    difference between the arms that have both and neither."""
    both, neither, minimised, told = (values[name] for name in (BOTH, NEITHER, MINIMISED, TOLD))
    return (minimised - neither + both - told) / 2, (told - neither + both - minimised) / 2


def remark(judged: Sequence[Finding]) -> str:
    """Which of the two choices makes the difference, for the verdict; nothing where there is none to be explained."""
    if not judged[0].holds or len(judged) < 7:
        return ""
    minimised, told, more = judged[4:]
    words = {True: "makes a difference", False: "makes one of the other direction", None: "makes none that is shown"}
    each = f"what is minimised {words[minimised.holds]}, what the learner is told {words[told.holds]}"
    if not more.holds:
        return f"which of the two does more of it is open ({each})"
    does = "what is minimised" if more.statement == MORE_BY_MINIMISED else "what the learner is told"
    return f"it is {does} that does more of it ({each})"


def draw(info: L1Loss) -> Chart:
    """Both losses, as in the document, and both errors of all arms."""
    names = list(info.arms)
    both = [binding.panel(info.arms, column, title) for column, title in (
        ("guess/mse", "Squared error"), ("guess/l1", "Absolute error")
    )]  # fmt: skip
    for panel in both:
        panel.y = "normalised (chance = 1)"
    ticks = [name.replace("_", " ") for name in names]
    return Chart(
        [
            losses.panel([info.arms[BOTH]], "L1 loss", show_levels=False, first=names.index(BOTH)),
            losses.panel([info.arms[NEITHER]], "Squared loss", first=names.index(NEITHER)),
            Panel("Leaving chance", "", "iterations", groups(list(info.escape.values()), names), ticks=ticks),
            *both,
            Panel("Solving the task", "", "iterations", groups(list(info.solved.values()), names), ticks=ticks),
        ],
        "LSTM meta-learner (one layer of 64), with 10 inner steps: with 20 or 40 it does not leave chance within this "
        "budget. Absolute errors take the place of squares in what is minimised, in what the learner is told, in both "
        "(l1) or in neither (mse). Top: both and neither, each by the loss that it is trained on. Bottom: all by "
        "either error, on the same fixed games. Times are of the squared error on these games, for all arms; a seed "
        "that does not get there counts the budget.",
        columns=3,
    )


def _no_gain(statement: str, values: dict[str, Numbers], unit: str) -> Finding:
    """Not lower than with squares by more than the margin."""
    margin = MARGIN * float(np.nanmean(values[NEITHER]))
    return above(
        statement,
        values[BOTH] - values[NEITHER],
        -margin,
        f"{unit}, l1 minus mse; the bound is a tenth less than mse has",
    )


def _first_below(arm: Arm, level: float) -> Numbers:
    """The first of three measurements in a row of the squared error below a level; the budget where there are none."""
    curve = arm.curve("guess/mse")
    low = np.nan_to_num(curve.y, nan=np.inf) < level
    three = low[:, :-2] & low[:, 1:-1] & low[:, 2:]
    return np.array([curve.x[row.argmax()] if row.any() else arm.budget for row in three], dtype=float)
