"""The document: supervised, low frequencies are solved first."""

from __future__ import annotations

from typing import NamedTuple

from badger_sweeps.reporting.inference.evidence import Finding
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.arms import Arms

from ..shared import frequency_order
from ..shared.frequency_order import Order

CLAIM = "Supervised, the F-principle holds: lower frequencies are solved first (LSTM of 64, 41 samples)."
REQUIRED_MEASURES = ()  # all it needs is measured during training


class FrequencySupervisedInfo(NamedTuple):
    """The orders of frequencies in both arms."""

    common: Order
    independent: Order


def compute(arms: Arms) -> FrequencySupervisedInfo:
    """The orders in both arms."""
    return FrequencySupervisedInfo(
        frequency_order.compute(arms["common"]), frequency_order.compute(arms["independent"])
    )


def findings(info: FrequencySupervisedInfo) -> list[Finding]:
    """The claim with the document's common phase; secondary, independent phases."""
    independent = frequency_order.low_first(info.independent)
    return [*frequency_order.low_first(info.common), *(finding.secondary() for finding in independent)]


def draw(info: FrequencySupervisedInfo) -> Chart:
    """The figure: frequencies over training, and times."""
    return Chart(
        frequency_order.panels(info),
        "Medians over seeds of the coherent ratio of each frequency on 1000 fixed games; a frequency is solved when it "
        "stays at 0.9 or above for three measurements.",
        columns=3,
    )
