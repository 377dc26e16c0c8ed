"""Whether the inner loop converges on the frequency task."""

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
"""Change of the guess from one inner step to the next, in units of the targets, below which the guess is constant."""

LEARNED = 0.5
"""Final loss above which a seed has learned too little for its inner loop to be judged."""


class Convergence(NamedTuple):
    """The inner loop of one arm.

    Attributes:
        change: of the guess over inner steps, in units of the targets, at the end of training; a row for each seed.
        learned: whether each seed has learned enough for its inner loop to be judged.
        last_change: at the last inner step, of each seed; NaN for a seed that has not learned.
        still_steps: inner steps at the end of the rollout during which the guess is constant, seed by snapshot; NaN for
            a seed that has not learned.
        losses: on the same games, seed by snapshot.
        amplitude: amplitude ratio over inner steps at the end of training, by frequency; a row for each seed.
    """

    change: Curve
    learned: NDArray[np.bool_]
    last_change: Numbers
    still_steps: Numbers
    losses: Numbers
    amplitude: list[Curve]


def compute(arm: Arm) -> Convergence:
    """The inner loop of an arm at the snapshots at which it was measured."""
    change = arm.curve("inner/change")
    steps = np.arange(1.0, change.y.shape[2] + 1)
    moving = change.y >= STILL
    places = np.where(moving, np.arange(1, moving.shape[2] + 1), 0).max(axis=2)
    still = np.where(np.isfinite(change.y).all(axis=2), moving.shape[2] - places, np.nan)
    frequencies = sum(str(name).startswith("inner/amplitude/") for name in arm.measured)
    final = np.array([np.inf if outcome.final_loss is None else outcome.final_loss for outcome in arm.outcomes])
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
    """The figure: frequencies over training, and amplitudes and changes of the guess along the inner loop."""
    amplitudes = Panel("Amplitudes along the inner loop", "inner step", "amplitude ratio (1: right)", [Level(1.0)])
    shown = info.learned if info.learned.any() else np.ones_like(info.learned)
    for place, curve in enumerate(info.amplitude):
        known = curve.y[shown & np.isfinite(curve.y).all(axis=1)]
        if len(known):
            amplitudes.marks.append(Line(curve.x, np.median(known, axis=0), place, f"k = {place + 1}", width=1.6))
    change = Panel(
        "Change of the guess", "inner step", "change (units of the targets)", [Level(STILL, "constant below")]
    )
    change.y_log = True
    change.marks += seeds(Curve(info.change.x, np.where(info.change.y > 0, info.change.y, np.nan)), 0, "after training")
    seeds_shown = (
        f"seeds that have learned (final loss at most {LEARNED})"
        if info.learned.any()
        else "all seeds, as none has learned"
    )
    return Chart(
        [*frequency_order.panels(orders), amplitudes, change],
        "Medians over seeds on 1000 fixed games. A frequency is solved when its coherent ratio stays at 0.9 or above "
        "for three measurements. Bottom: the trained networks with the common phase, step by step; "
        f"amplitudes of {seeds_shown}.",
        columns=3,
    )
