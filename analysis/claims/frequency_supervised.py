"""The document: supervised, low frequencies are solved first."""

from __future__ import annotations

from typing import NamedTuple

from badger_sweeps.reporting.inference.evidence import Finding
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.arms import Arms

from ..shared import frequency_order
from ..shared.frequency_order import Order

CLAIM = "Supervised, the F-principle holds: lower frequencies are solved first (LSTM of 64, 41 samples)."
REQUIRED_MEASURES = ()  # what it looks at is measured while runs train


class FrequencySupervised(NamedTuple):
    """Both arms of phases."""

    common: Order
    independent: Order


def compute(arms: Arms) -> FrequencySupervised:
    """The order in both arms."""
    return FrequencySupervised(frequency_order.compute(arms["common"]), frequency_order.compute(arms["independent"]))


def findings(info: FrequencySupervised) -> list[Finding]:
    """The claim with the document's common phase; beside it independent phases."""
    beside = [finding.secondary() for finding in frequency_order.low_first(info.independent)]
    return [*frequency_order.low_first(info.common), *beside]


def draw(info: FrequencySupervised) -> Chart:
    """Frequencies over training."""
    return Chart(
        frequency_order.panels(info),
        "Medians over seeds of the coherent ratio of each frequency on 1000 fixed games; a frequency is solved when it "
        "stays at 0.9 or above for three measurements.",
        columns=3,
    )
