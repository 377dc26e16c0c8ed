"""The document: with the error quantised in 12 bins the inner loop converges, and even frequencies come closer to 1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, above, below, rank_correlation
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.arms import Arms, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import frequency_order, inner_convergence
from ..shared.frequency_order import Order
from ..shared.inner_convergence import Convergence

CLAIM = (
    "With its error quantised in 12 bins (100 inner steps) the LSTM meta-learner's inner loop converges, over more of "
    "its steps the lower the loss; the F-principle does not apply, and even frequencies usually come closer to 1."
)
REQUIRED_MEASURES = (RequiredMeasures(("inner_loop",), snapshots=11),)


class FrequencyQuantizedInfo(NamedTuple):
    """The orders of frequencies in both arms, and the inner loop with the common phase.

    Attributes:
        common: the order with the common phase.
        independent: the order with independent phases.
        inner: the inner loop with the common phase.
        still_and_loss: Spearman's rank correlation of the number of inner steps at which the guess is constant with the
            loss, over snapshots, of each seed.
        odd_minus_even: distance of the amplitude ratio from 1, odd minus even frequencies, after training, of each
            seed.
    """

    common: Order
    independent: Order
    inner: Convergence
    still_and_loss: Numbers
    odd_minus_even: Numbers


def compute(arms: Arms) -> FrequencyQuantizedInfo:
    """The orders in both arms, the inner loop, and the difference of odd and even frequencies."""
    inner = inner_convergence.compute(arms["common"])
    pairs = zip(inner.still_steps, inner.losses, strict=True)
    distance = np.stack([np.where(inner.learned, np.abs(curve.y[:, -1] - 1), np.nan) for curve in inner.amplitude])
    return FrequencyQuantizedInfo(
        frequency_order.compute(arms["common"]),
        frequency_order.compute(arms["independent"]),
        inner,
        np.array([rank_correlation(*pair) for pair in pairs]),
        distance[0::2].mean(axis=0) - distance[1::2].mean(axis=0),
    )


def findings(info: FrequencyQuantizedInfo) -> list[Finding]:
    """The parts of the claim with the common phase; secondary, independent phases."""
    return [
        below(
            "the inner loop converges", info.inner.last_change, inner_convergence.STILL,
            "change of the guess at the last inner step, in units of the targets",
        ),
        below(
            "the guess is constant over more inner steps the lower the loss", info.still_and_loss, 0,
            "Spearman's rank correlation over training",
        ),
        frequency_order.not_low_first(info.common),
        above(
            "even frequencies come closer to 1", info.odd_minus_even, 0,
            "distance of the amplitude ratio from 1, odd minus even frequencies",
        ),
        frequency_order.not_low_first(info.independent).secondary(),
    ]  # fmt: skip


def draw(info: FrequencyQuantizedInfo) -> Chart:
    """The figure: frequencies over training, and the inner loop of the trained networks."""
    return inner_convergence.chart([info.common, info.independent], info.inner)
