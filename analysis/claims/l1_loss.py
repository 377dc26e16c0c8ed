"""The document: an L1 loss makes the LSTM meta-learner behave differently, but not converge faster or lower.

The loss of the document is two choices: the outer objective, which training minimises, and the feedback that the
learner receives. The document changed both at once. The four arms are all combinations of the two, so that their
effects can be separated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from badger_sweeps.measures.escape import escape_threshold, first_below, solved_threshold
from badger_sweeps.reporting.inference.evidence import Finding, above, below, unknown
from badger_sweeps.reporting.plotting.chart import Chart, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers
from badger_sweeps.statistics.estimates import FEWEST_PAIRS

from ..shared import binding, losses

CLAIM = (
    "Training the LSTM meta-learner on the L1 norm instead of the mean squared error shows different behaviour, but "
    "not faster overall convergence or a lower error."
)
REQUIRED_MEASURES = ()  # all it needs is measured during training
MARGIN = 0.1
"""The smallest gain that counts, as a share of the mean with squared errors."""
BOTH, NEITHER, OBJECTIVE, FEEDBACK = "l1", "mse", "minimised_l1", "told_l1"
"""The arms: absolute errors in both choices, in neither, in the outer objective alone, in the feedback alone."""
MORE_BY_OBJECTIVE = "the outer objective causes more of that difference than the feedback"
MORE_BY_FEEDBACK = "the feedback causes more of that difference than the outer objective"


class L1LossInfo(NamedTuple):
    """Times and errors of each seed, by arm, all on the same fixed games and with the same errors.

    Attributes:
        arms: by name, all four.
        escape: iterations until the squared error has fallen by a quarter of a level (the budget where it does not).
        solved: iterations until the squared error is below a quarter of a level (the budget where it never is).
        squares: final normalised squared error.
        absolute: final normalised absolute error.
        learned: how many seeds of `mse` solved the task.
    """

    arms: Arms
    escape: dict[str, Numbers]
    solved: dict[str, Numbers]
    squares: dict[str, Numbers]
    absolute: dict[str, Numbers]
    learned: int


def compute(arms: Arms) -> L1LossInfo:
    """Times and both errors of all arms."""
    staircase = arms[NEITHER].run.summary.staircase
    solved = {name: _first_below(arm, solved_threshold(staircase)) for name, arm in arms.items()}
    return L1LossInfo(
        arms=arms,
        escape={name: _first_below(arm, escape_threshold(staircase)) for name, arm in arms.items()},
        solved=solved,
        squares={name: arm.last("guess/mse") for name, arm in arms.items()},
        absolute={name: arm.last("guess/l1") for name, arm in arms.items()},
        learned=int((solved[NEITHER] < arms[NEITHER].budget).sum()),
    )


def findings(info: L1LossInfo) -> list[Finding]:
    """The parts of the claim: a difference, and no gain; secondary, which of the two choices causes the difference.

    The effect of a choice is its mean over both settings of the other choice. The two effects of a seed add up to the
    difference between the arms with absolute errors in both choices and in neither.
    """
    if info.learned < FEWEST_PAIRS:
        why = f"needs {FEWEST_PAIRS} seeds that solve the task with squared errors; found {info.learned}"
        return [unknown("l1 behaves differently without being better", why)]
    difference = info.escape[BOTH] - info.escape[NEITHER]
    direction = above if difference.mean() >= 0 else below
    objective, feedback = effects(info.escape)
    unit = "iterations until the escape (at most the budget), l1 minus mse, mean over both settings of the other choice"
    more = objective - feedback
    larger = MORE_BY_OBJECTIVE if (more.mean() >= 0) == (difference.mean() >= 0) else MORE_BY_FEEDBACK
    return [
        direction(
            "seeds escape the first plateau at a different time",
            difference,
            0,
            "iterations, l1 minus mse, paired by seed",
        ),
        _no_gain("l1 does not solve the task faster", info.solved, "iterations"),
        _no_gain("l1 does not end with a lower squared error", info.squares, "squared error"),
        _no_gain("l1 does not end with a lower absolute error", info.absolute, "absolute error"),
        direction("the outer objective causes a difference of that direction", objective, 0, unit).secondary(),
        direction("the feedback causes a difference of that direction", feedback, 0, unit).secondary(),
        (above if more.mean() >= 0 else below)(
            larger, more, 0, "iterations, effect of the outer objective minus effect of the feedback, paired by seed"
        ).secondary(),
    ]


def effects(values: dict[str, Numbers]) -> tuple[Numbers, Numbers]:
    """The main effects of the outer objective and of the feedback, l1 minus mse, of each seed.

    Their sum is the difference between the arms with absolute errors in both choices and in neither.
    """
    both, neither, objective, feedback = (values[name] for name in (BOTH, NEITHER, OBJECTIVE, FEEDBACK))
    return (objective - neither + both - feedback) / 2, (feedback - neither + both - objective) / 2


def remark(judged: Sequence[Finding]) -> str:
    """The remark on the verdict: which of the two choices causes the difference; empty if no difference was shown."""
    if not judged[0].holds or len(judged) < 7:
        return ""
    objective, feedback, more = judged[4:]
    effect = {True: "has an effect", False: "has an effect of the other direction", None: "has no effect that is shown"}
    each = f"the outer objective {effect[objective.holds]}, the feedback {effect[feedback.holds]}"
    if not more.holds:
        return f"which of the two causes more of the difference is open ({each})"
    cause = "the outer objective" if more.statement == MORE_BY_OBJECTIVE else "the feedback"
    return f"{cause} causes more of the difference ({each})"


def draw(info: L1LossInfo) -> Chart:
    """The figure: both losses, as in the document, and both errors and the times of all arms."""
    names = list(info.arms)
    errors = [binding.panel(info.arms, column, title) for column, title in (
        ("guess/mse", "Squared error"), ("guess/l1", "Absolute error")
    )]  # fmt: skip
    for panel in errors:
        panel.y = "normalised (chance = 1)"
    ticks = [losses.label(name) for name in names]
    return Chart(
        [
            losses.panel([info.arms[BOTH]], "L1 loss", show_levels=False, first=names.index(BOTH)),
            losses.panel([info.arms[NEITHER]], "Squared loss", first=names.index(NEITHER)),
            Panel(
                "Escaping the first plateau", "", "iterations", groups(list(info.escape.values()), names), ticks=ticks
            ),
            *errors,
            Panel("Solving the task", "", "iterations", groups(list(info.solved.values()), names), ticks=ticks),
        ],
        "LSTM meta-learner (one layer of 64), with 10 inner steps: with 20 or 40 it does not escape its first plateau "
        "within this budget. Absolute errors replace squared errors in the outer objective (minimised l1), in the "
        "feedback (told l1), in both (l1) or in neither (mse). Top: both and neither, each with the loss that it is "
        "trained on. Bottom: both errors of all arms, on the same fixed games. Times are those of the squared error "
        "on these games; a seed that does not reach it counts as the budget.",
        columns=3,
    )


def _no_gain(statement: str, values: dict[str, Numbers], unit: str) -> Finding:
    """The finding that absolute errors in both choices do not lower a quantity by more than the margin."""
    margin = MARGIN * float(np.nanmean(values[NEITHER]))
    return above(
        statement,
        values[BOTH] - values[NEITHER],
        -margin,
        f"{unit}, l1 minus mse; the bound is minus a tenth of the mean of mse",
    )


def _first_below(arm: Arm, threshold: float) -> Numbers:
    """The first of three consecutive measurements of the squared error below a threshold; the budget if none."""
    curve = arm.curve("guess/mse")
    at = [first_below(row, threshold, block=1) for row in curve.y]
    return np.array([arm.budget if first is None else curve.x[first] for first in at], dtype=float)
