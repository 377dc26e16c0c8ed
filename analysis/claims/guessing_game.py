"""The document: the Guessing Game has several plateaus, and its numbers are learned one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, above, below, within
from badger_sweeps.reporting.plotting.chart import GREY, Chart, Level, Line, Panel, seeds
from badger_sweeps.reporting.reading.arms import Arm, Arms, Curve, Numbers

from ..shared import losses

CLAIM = (
    "On the Guessing Game there are several plateaus. On the first one zeros are guessed, then numbers that are all "
    "the same, and then the numbers are learned one by one; with three of them training converges near iteration 1500."
)
REQUIRED_MEASURES = ()  # all it needs is measured during training
SAME = 0.05
"""Differences of sum J² / sum J below this count as 0: a tenth of the range from all at once to one by one."""
NEAR = 1500
"""The document's iteration of convergence with three numbers; "near" means within a factor of two."""
CONVERGED = 0.01
"""A share of chance: a seed has converged when the block means of its loss stay below it."""
HALF_WAY_UP = 0.5
"""The share of the numbers at which it is tested whether they are learned one by one."""


class GuessingGameInfo(NamedTuple):
    """Plateaus, guesses and learned numbers; arrays have a value for each seed, curves a row.

    Attributes:
        many: the arm with many numbers.
        few: the arm with three numbers.
        plateaus: number of plateaus above level 0, of `many`.
        share: mean over numbers of J_d = 1 - loss of number d, the learned share, over training, of `many`.
        aligned: sum_d J_d^2 / sum_d J_d over training, of `many`.
        halfway: `aligned` where half of the numbers are learned.
        power: mean square of the guesses on the first plateau, in units of that of one solved number.
        alike: share of the guesses' power that all numbers have in common, after the escape from the first plateau.
        alike_curve: the same over training.
        converged: iterations until `few` had converged (the budget where it has not).
    """

    many: Arm
    few: Arm
    plateaus: Numbers
    share: Curve
    aligned: Curve
    halfway: Numbers
    power: Numbers
    alike: Numbers
    alike_curve: Curve
    converged: Numbers


def compute(arms: Arms) -> GuessingGameInfo:
    """Plateaus, guesses, and the order in which numbers are learned."""
    many, few = arms["many"], arms["few"]
    dims = many.dims
    learned = _learned(many)
    total = np.nansum(learned.y, axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        aligned = np.nansum(learned.y**2, axis=2) / total
    power, alike = many.curve("guess/power"), many.curve("guess/alike")
    return GuessingGameInfo(
        many=many,
        few=few,
        plateaus=np.array([len(outcome.unsolved_plateaus) for outcome in many.outcomes], dtype=float),
        share=Curve(learned.x, total / dims),
        aligned=Curve(learned.x, np.where(total > 0.5, aligned, np.nan)),
        halfway=_where(total, aligned, HALF_WAY_UP * dims),
        power=np.array(
            [_at_chance(power, seed, outcome.escape_iteration) for seed, outcome in enumerate(many.outcomes)]
        )
        * dims,
        alike=np.array(
            [_after_escape(power, alike, seed, outcome.escape_iteration) for seed, outcome in enumerate(many.outcomes)]
        ),
        alike_curve=alike,
        converged=_converged(few),
    )


def findings(info: GuessingGameInfo) -> list[Finding]:
    """The parts of the claim; secondary, whether the numbers are learned as mixtures."""
    dims = info.many.dims
    return [
        above(f"with {dims} numbers a seed has more than one plateau", info.plateaus, 1, "plateaus per seed"),
        below(
            "on the first plateau the guesses are zeros", info.power, 1,
            "mean square of the guesses on it, in units of that of one solved number",
        ),
        above(
            "then all guesses of a game are the same number", info.alike, (1 + 1 / dims) / 2,
            f"share of their power in the mean, after the escape (1: all the same, {1 / dims:.2g}: unrelated)",
        ),
        above(
            "the numbers are learned one by one", info.halfway, (1 + HALF_WAY_UP) / 2,
            "sum of J² over sum of J where half is learned (1: one by one, 0.5: all at once)",
        ),
        within(
            "with three numbers training has converged near iteration 1500", info.converged, NEAR / 2, NEAR * 2,
            f"iterations until the loss stays below {CONVERGED} of chance",
        ),
        within(
            "directions, that is, mixtures of all numbers, are learned one by one",
            info.halfway - along_directions(HALF_WAY_UP, dims), -SAME, SAME,
            "sum of J² over sum of J where half is learned, minus its value for a half of random directions",
        ).secondary(),
    ]  # fmt: skip


def along_directions(share: Numbers | float, dims: int) -> Numbers:
    """Mean of sum J² / sum J where a random subspace with this share of all dimensions is learned, and nothing else.

    J_d is then a diagonal entry of its projection, Beta(k/2, (D - k)/2) distributed, with mean s = k/D and variance
    2 s (1 - s)/(D + 2).
    """
    return np.asarray(share + 2 * (1 - np.asarray(share)) / (dims + 2))


def draw(info: GuessingGameInfo) -> Chart:
    """The figure: the losses of both arms, the numbers of one seed, and the order in which they are learned."""
    dims = info.many.dims
    learned = _learned(info.many)
    one = Panel(f"Learned share of each of the {dims} numbers, one seed", "iteration", "1 - loss of the number")
    for dim in range(dims):
        one.marks.append(Line(learned.x, learned.y[0, :, dim], dim, width=1.0, opacity=0.8))
    share = np.linspace(0.05, 1, 50)
    order = Panel("One by one?", "share learned (mean of J)", "sum of J² / sum of J", y_range=(0, 1.08))
    order.marks += [
        Line(share, np.ones_like(share), GREY, "number by number", dashed=True),
        Line(share, along_directions(share, dims), 1, "direction by direction", dashed=True),
        Line(share, share, 2, "all at once", dashed=True),
        *(Line(x, y, 0, width=0.8, opacity=0.6) for x, y in zip(info.share.y, info.aligned.y, strict=True)),
    ]
    same = Panel(
        "All the same?", "iteration", "share of power in the mean",
        [Level(1.0, "all the same"), Level(1 / dims, "unrelated")], y_range=(0, 1.1),
    )  # fmt: skip
    same.marks += seeds(info.alike_curve, 0, "guesses")
    few = losses.panel([info.few], "Loss with 3 numbers")
    few.marks.append(Level(NEAR, "the document: converged", upright=True))
    return Chart(
        [_one_seed(info.many), losses.panel([info.many], f"Loss with {dims} numbers"), few, one, order, same],
        "Block means of the loss: one seed with its plateaus, and every seed with their median. J = 1 - loss of a "
        "number. On the first plateau guesses have little power, and the share that they have in common says little.",
        columns=3,
    )


def _one_seed(arm: Arm) -> Panel:
    """The panel of the first seed's loss, with its plateaus above level 0."""
    blocks = arm.blocks()
    panel = Panel(f"Loss with {arm.dims} numbers, one seed", "iteration", "loss (chance = 1)", [Level(0.0), Level(1.0)])
    panel.marks.append(Line(blocks.x, blocks.y[0], 0, width=0.8, opacity=0.7))
    for place, plateau in enumerate(arm.outcomes[0].unsolved_plateaus):
        label = "plateaus" if place == 0 else ""
        panel.marks.append(Line([plateau.start, plateau.end], [plateau.mean_loss] * 2, 1, label, width=3.0))
    return panel


def _converged(arm: Arm) -> Numbers:
    """The end of the last block whose loss is not below `CONVERGED`; the budget where that is the last block."""
    blocks, size = arm.blocks(), arm.run.summary.staircase.block
    high = ~(blocks.y < CONVERGED)
    last = np.where(high.any(axis=1), high.shape[1] - high[:, ::-1].argmax(axis=1), 0)
    return np.where(last == high.shape[1], arm.budget, last * size).astype(float)


def _learned(arm: Arm) -> Curve:
    """J_d in block means: seed by block by number."""
    columns = [arm.blocks(f"loss_dim/{dim}") for dim in range(arm.dims)]
    return Curve(columns[0].x, 1 - np.stack([column.y for column in columns], axis=2).clip(0, 1))


def _where(total: Numbers, values: Numbers, level: float) -> Numbers:
    """The value of each seed where its total first reaches a level; NaN where it does not."""
    found = []
    for sums, row in zip(total, values, strict=True):
        reached = np.flatnonzero(sums >= level)
        found.append(row[reached[0]] if len(reached) else np.nan)
    return np.array(found)


def _at_chance(power: Curve, seed: int, escape: int | None) -> float:
    """The mean of a seed's values measured after the start and until the escape; NaN where there are none."""
    until = np.inf if escape is None else escape
    rows = (power.x > 0) & (power.x <= until)
    return float(power.y[seed, rows].mean()) if rows.any() else np.nan


def _after_escape(power: Curve, alike: Curve, seed: int, escape: int | None) -> float:
    """How alike the guesses of a seed are at the first measurement after its escape; NaN where there is none."""
    after = np.flatnonzero(power.x >= (np.inf if escape is None else escape))
    return float(alike.y[seed, after[0]]) if len(after) else np.nan
