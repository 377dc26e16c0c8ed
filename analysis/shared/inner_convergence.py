"""Whether an inner loop converges, on the frequency task: what two of the studies ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.reporting.plotting.chart import Chart, Level, Line, Panel, seeds
from badger_sweeps.reporting.reading.arms import Arm, Curve, Numbers

from . import frequency_order
from .frequency_order import Order

STILL = 0.01
"""Change of the guess from one inner step to the next, in units of the targets, below which it stands still."""

LEARNED = 0.5
"""Final loss above which a seed has learned too little for its inner loop to say anything."""


class Convergence(NamedTuple):
    """One arm's.

    Attributes:
        change: of the guess at every inner step, at the end of training; a row for each seed.
        learned: whether a seed has learned enough for its inner loop to say anything.
        last_change: at the last step; NaN for a seed that has not learned.
        still_steps: how many steps at the end of the rollout stand still, at every moment measured; seed by moment, NaN
            for a seed that has not learned.
        losses: at these moments, on the same games.
        amplitude: by frequency: along the inner loop, at the end of training; a row for each seed.
    """

    change: Curve
    learned: NDArray[np.bool_]
    last_change: Numbers
    still_steps: Numbers
    losses: Numbers
    amplitude: list[Curve]


def compute(arm: Arm) -> Convergence:
    """Of the moments at which the inner loop was measured."""
    change = arm.curve("inner/change")
    steps = np.arange(1.0, change.y.shape[2] + 1)
    moving = change.y >= STILL
    places = np.where(moving, np.arange(1, moving.shape[2] + 1), 0).max(axis=2)
    still = np.where(np.isfinite(change.y).all(axis=2), moving.shape[2] - places, np.nan)
    frequencies = sum(str(name).startswith("inner/amplitude/") for name in arm.measured)
    final = np.array([np.inf if own.final_loss is None else own.final_loss for own in arm.outcomes])
    learned = final <= LEARNED
    return Convergence(
        change=Curve(steps, change.y[:, -1]),
        learned=learned,
        last_change=np.where(learned, change.y[:, -1, -1], np.nan),
        still_steps=np.where(learned[:, None], still, np.nan),
        losses=arm.curve("inner/loss").y[:, :, -1],
        amplitude=[Curve(steps, arm.last(f"inner/amplitude/{k:02d}")) for k in range(1, frequencies + 1)],
    )


def chart(orders: Sequence[Order], info: Convergence) -> Chart:
    """Frequencies over training; the amplitudes along the inner loop, as in the document; how much the guess moves."""
    amplitudes = Panel("Amplitudes along the inner loop", "inner step", "amplitude ratio (1: right)", [Level(1.0)])
    shown = info.learned if info.learned.any() else np.ones_like(info.learned)
    for place, curve in enumerate(info.amplitude):
        known = curve.y[shown & np.isfinite(curve.y).all(axis=1)]
        if len(known):
            amplitudes.marks.append(Line(curve.x, np.median(known, axis=0), place, f"k = {place + 1}", width=1.6))
    change = Panel("How much the guess moves", "inner step", "change (units of the targets)", [Level(STILL, "still")])
    change.y_log = True
    change.marks += seeds(Curve(info.change.x, np.where(info.change.y > 0, info.change.y, np.nan)), 0, "after training")
    whose = (
        f"seeds that have learned (final loss at most {LEARNED})" if info.learned.any() else "all seeds: none learned"
    )
    return Chart(
        [*frequency_order.panels(orders), amplitudes, change],
        "Medians over seeds on 1000 fixed games. A frequency is solved when its coherent ratio stays at 0.9 or above "
        "for three measurements. Bottom: the trained networks with the common phase, step by step; "
        f"amplitudes of {whose}.",
        columns=3,
    )
