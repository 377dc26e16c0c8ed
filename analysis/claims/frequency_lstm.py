"""The document: the LSTM meta-learner has no F-principle, and its inner loop does not converge."""

from __future__ import annotations

from typing import NamedTuple

from badger_sweeps.reporting.inference.evidence import Finding, above
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.arms import Arms
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import frequency_order, inner_convergence
from ..shared.frequency_order import Order
from ..shared.inner_convergence import Convergence

CLAIM = (
    "An LSTM meta-learner (40 inner steps, hidden size 64) shows no convergence in the inner loop, and lower "
    "frequencies are not solved faster, but usually with a slightly smaller error."
)
REQUIRED_MEASURES = (RequiredMeasures(("inner_loop",), snapshots=11),)


class FrequencyLSTMInfo(NamedTuple):
    """The orders of frequencies in both arms, and the inner loop with the common phase."""

    common: Order
    independent: Order
    inner: Convergence


def compute(arms: Arms) -> FrequencyLSTMInfo:
    """The orders in both arms, and the inner loop."""
    common, independent = (frequency_order.compute(arms[name]) for name in ("common", "independent"))
    return FrequencyLSTMInfo(common, independent, inner_convergence.compute(arms["common"]))


def findings(info: FrequencyLSTMInfo) -> list[Finding]:
    """The parts of the claim with the common phase; secondary, independent phases."""
    return [
        frequency_order.not_low_first(info.common),
        above(
            "the inner loop does not converge: guesses still change at its last step", info.inner.last_change,
            inner_convergence.STILL,
            "change of the guess at the last inner step, in units of the targets, of seeds that learned",
        ),
        above(
            "lower frequencies usually end with a smaller error", frequency_order.error_order(info.common), 0,
            "Spearman's rank correlation of frequency and 1 - coherent ratio at the end",
        ),
        frequency_order.not_low_first(info.independent).secondary(),
    ]  # fmt: skip


def draw(info: FrequencyLSTMInfo) -> Chart:
    """The figure: frequencies over training, and the inner loop of the trained networks."""
    return inner_convergence.chart([info.common, info.independent], info.inner)
