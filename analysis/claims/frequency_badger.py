"""The document: Micro-Badger solves frequencies in a random order, and converges with 11 samples but not with 41."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from badger_sweeps.reporting.inference.evidence import Finding, above, most, ordered, unknown, within
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.arms import Arms, Numbers

from ..shared import frequency_order, losses
from ..shared.frequency_order import NO_ORDER, Order

CLAIM = (
    "Micro-Badger does not follow the F-principle: some frequencies are solved earlier than others, but the order is "
    "rather random; with 41 samples it cannot be made to converge, with 11 it can."
)
REQUIRED_MEASURES = ()  # all it needs is measured during training
CONVERGED = 0.25
"""A final loss below this counts as converged: three quarters of the loss at chance are learned."""

SHOWN = (0, 1)
"""The seeds whose frequencies are drawn, by position."""
APART = 0.1
"""Spread over median of the times at which frequencies are solved, above which they are solved at different times."""


class FrequencyBadgerInfo(NamedTuple):
    """Orders of frequencies, and final losses.

    Attributes:
        arms: by name, all four.
        orders: of the arms with 11 samples: common phase, independent phases.
        final: final loss of each seed, by arm; infinite for a seed that diverged.
    """

    arms: Arms
    orders: tuple[Order, Order]
    final: dict[str, Numbers]


def compute(arms: Arms) -> FrequencyBadgerInfo:
    """Orders with 11 samples, and final losses of all arms."""
    common, independent = (frequency_order.compute(arms[f"eleven_{phases}"]) for phases in ("common", "independent"))
    final = {
        name: np.array([np.inf if outcome.final_loss is None else outcome.final_loss for outcome in arm.outcomes])
        for name, arm in arms.items()
    }
    return FrequencyBadgerInfo(arms, (common, independent), final)


def findings(info: FrequencyBadgerInfo) -> list[Finding]:
    """The parts of the claim with the document's common phase; secondary, independent phases."""
    common, independent = info.orders

    def converged(name: str, wanted: bool) -> list[bool]:
        return [bool(value < CONVERGED) == wanted for value in info.final[name]]

    return [
        *_order(common, "common phase"),
        most(f"with 11 samples it converges: final loss below {CONVERGED}", converged("eleven_common", True)),
        most("with 41 samples it does not", converged("forty_one_common", False)),
        *(finding.secondary() for finding in _order(independent, "independent phases")),
        most("with 11 samples it converges (independent phases)", converged("eleven_independent", True)).secondary(),
        most("with 41 samples it does not (independent phases)", converged("forty_one_independent", False)).secondary(),
    ]


def _order(order: Order, phases: str) -> list[Finding]:
    """The findings that frequencies are solved at different times, and not from low to high or from high to low.

    Secondary: that seeds share no order.
    """
    apart = np.where(order.simultaneity > APART, order.spearman, np.nan)
    known = order.times[order.simultaneity > APART]
    shared = unknown(f"seeds share no order ({phases})", "needs two seeds that solve frequencies at different times")
    if len(known) > 1 and known.shape[1] > 2:
        test = scipy.stats.friedmanchisquare(*known.T)
        concordance = float(test.statistic) / (len(known) * (known.shape[1] - 1))
        unit = "Kendall's W of the seeds' orders (1: the same in all)"
        shared = ordered(f"seeds share no order ({phases})", concordance, float(test.pvalue), len(known), unit,
                         "Friedman", sign=-1)  # fmt: skip
    return [
        above(
            f"some frequencies are solved earlier than others ({phases})", order.simultaneity, APART,
            "spread of the times over their median",
        ),
        within(
            f"where some are, the order is not from low to high or from high to low ({phases})", apart, -NO_ORDER,
            NO_ORDER, "Spearman's rank correlation of frequency and time",
        ),
        shared.secondary(),
    ]  # fmt: skip


def draw(info: FrequencyBadgerInfo) -> Chart:
    """The figure: frequencies over training in two seeds with 11 samples, times, and the losses of all arms."""
    common, independent = info.orders
    return Chart(
        [
            *(frequency_order.one_seed(common, row) for row in SHOWN),
            frequency_order.when(info.orders),
            *(frequency_order.one_seed(independent, row) for row in SHOWN),
            losses.panel(list(info.arms.values())),
        ],
        "Coherent ratio of each frequency on 1000 fixed games, with 11 samples: the first two seeds of either arm, as "
        "the document shows two runs. Right: the times at which all seeds solved the frequencies, and the loss with "
        "11 and 41 samples. With a common phase all targets lie in a plane, with independent phases they do not.",
        columns=3,
    )
