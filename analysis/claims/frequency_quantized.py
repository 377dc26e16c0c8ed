"""The document: with an error told in 12 bins the inner loop converges, and even frequencies come closer to 1."""

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
REQUIRED_MEASURES = (RequiredMeasures(("inner_loop",), moments=11),)


class FrequencyQuantized(NamedTuple):
    """Both arms of phases, and with the common one the inner loop.

    Attributes:
        common: the order with the common phase.
        independent: the order with independent phases.
        inner: the inner loop.
        still_and_loss: Spearman's correlation of the number of steps that stand still with the loss, over training.
        odd_minus_even: distance of the amplitude ratio from 1, odd minus even frequencies, after training.
    """

    common: Order
    independent: Order
    inner: Convergence
    still_and_loss: Numbers
    odd_minus_even: Numbers


def compute(arms: Arms) -> FrequencyQuantized:
    """Orders, the inner loop, and even against odd frequencies."""
    inner = inner_convergence.compute(arms["common"])
    pairs = zip(inner.still_steps, inner.losses, strict=True)
    distance = np.stack([np.where(inner.learned, np.abs(own.y[:, -1] - 1), np.nan) for own in inner.amplitude])
    return FrequencyQuantized(
        frequency_order.compute(arms["common"]),
        frequency_order.compute(arms["independent"]),
        inner,
        np.array([rank_correlation(*pair) for pair in pairs]),
        distance[0::2].mean(axis=0) - distance[1::2].mean(axis=0),
    )


def findings(info: FrequencyQuantized) -> list[Finding]:
    """The claim's parts."""
    return [
        below(
            "the inner loop converges", info.inner.last_change, inner_convergence.STILL,
            "change of the guess at the last inner step, in units of the targets",
        ),
        below(
            "it stands still over more steps the lower the loss", info.still_and_loss, 0,
            "Spearman's rank correlation over training",
        ),
        frequency_order.not_low_first(info.common),
        above(
            "even frequencies come closer to 1", info.odd_minus_even, 0,
            "distance of the amplitude ratio from 1, odd minus even frequencies",
        ),
        frequency_order.not_low_first(info.independent).secondary(),
    ]  # fmt: skip


def draw(info: FrequencyQuantized) -> Chart:
    """Frequencies over training, and the inner loop of the trained networks."""
    return inner_convergence.chart([info.common, info.independent], info.inner)
