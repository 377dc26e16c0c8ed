"""The document: Badgers solve frequencies in a random order, and cannot guess 41 samples where they guess 11."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.arms import Arms, Numbers
from analysis.chart import Chart
from analysis.evidence import Finding, above, most, within
from analysis.figures import frequency_order, losses
from analysis.figures.frequency_order import NO_ORDER, Order

CLAIM = (
    "Micro-Badger does not follow the F-principle: some frequencies are solved earlier than others, but the order is "
    "rather random; with 41 samples it cannot be made to converge, with 11 it can."
)
CONVERGED = 0.25
"""A final loss below this counts as converged: three quarters of what there is to learn."""

APART = 0.1
"""Spread of the times at which frequencies are solved, over their median, above which they are solved apart."""


class FrequencyBadger(NamedTuple):
    """All four arms.

    Attributes:
        arms: by name.
        orders: with 11 samples: common and independent phases.
        final: final loss by arm; infinite for a seed that diverged.
    """

    arms: Arms
    orders: tuple[Order, Order]
    final: dict[str, Numbers]


def compute(arms: Arms) -> FrequencyBadger:
    """Orders with 11 samples, and how far all arms came."""
    common, independent = (frequency_order.compute(arms[f"eleven_{phases}"]) for phases in ("common", "independent"))
    final = {
        name: np.array([np.inf if own.final_loss is None else own.final_loss for own in arm.outcomes])
        for name, arm in arms.items()
    }
    return FrequencyBadger(arms, (common, independent), final)


def findings(info: FrequencyBadger) -> list[Finding]:
    """The claim's parts with the document's common phase; beside them independent phases."""
    common, independent = info.orders
    correlation = "Spearman's rank correlation of frequency and time"

    def converged(name: str, wanted: bool) -> list[bool]:
        return [bool(value < CONVERGED) == wanted for value in info.final[name]]

    return [
        above(
            "some frequencies are solved earlier than others (common phase)", common.simultaneity, APART,
            "spread of the times over their median",
        ),
        within("the order is random (common phase)", common.spearman, -NO_ORDER, NO_ORDER, correlation),
        most(f"with 11 samples it converges: final loss below {CONVERGED}", converged("eleven_common", True)),
        most("with 41 samples it does not", converged("forty_one_common", False)),
        within(
            "the order is random (independent phases)", independent.spearman, -NO_ORDER, NO_ORDER, correlation
        ).beside(),
        most("with 11 samples it converges (independent phases)", converged("eleven_independent", True)).beside(),
        most("with 41 samples it does not (independent phases)", converged("forty_one_independent", False)).beside(),
        above(
            "some frequencies are solved earlier than others (independent phases)", independent.simultaneity, APART,
            "spread of the times over their median",
        ).beside(),
    ]  # fmt: skip


def draw(info: FrequencyBadger) -> Chart:
    """Frequencies over training with 11 samples, and the losses of all arms."""
    return Chart(
        [*frequency_order.panels(info.orders), losses.panel(list(info.arms.values()))],
        "Medians over seeds of the coherent ratio of each frequency on 1000 fixed games, with 11 samples; right: the "
        "loss "
        "with 11 and 41 samples. With a common phase all targets lie in a plane, with independent phases they do not.",
        columns=2,
    )
