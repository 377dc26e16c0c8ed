"""The document: an output weight for each expert removes the first plateau."""

from __future__ import annotations

from typing import NamedTuple

from badger_sweeps.reporting.inference.evidence import Finding
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.arms import Arms

from ..shared import first_plateau
from ..shared.first_plateau import FirstPlateau

CLAIM = "Giving each expert an output weight of its own effectively removes the first plateau."
REQUIRED_MEASURES = ()  # all it needs is measured during training


class WeightedReadoutInfo(NamedTuple):
    """The first plateau of each arm."""

    mean: FirstPlateau
    positive: FirstPlateau
    signed: FirstPlateau
    mean_alike: FirstPlateau
    positive_alike: FirstPlateau
    signed_alike: FirstPlateau


def compute(arms: Arms) -> WeightedReadoutInfo:
    """The first plateau of each arm."""
    return WeightedReadoutInfo(*(first_plateau.compute(arms[name]) for name in WeightedReadoutInfo._fields))


def findings(info: WeightedReadoutInfo) -> list[Finding]:
    """The parts of the claim, of experts with alike initial states, since it is about their symmetry.

    Secondary: weights of either sign, and noisy initial states.
    """
    alike = first_plateau.findings(info.mean_alike, info.positive_alike, "a weight for each expert")
    others = (
        (info.mean_alike, info.signed_alike, "a weight of either sign"),
        (info.mean, info.positive, "a weight for each expert, with noisy starts,"),
        (info.mean, info.signed, "a weight of either sign, with noisy starts,"),
    )
    return [*alike, *(finding.secondary() for other in others for finding in first_plateau.findings(*other))]


def draw(info: WeightedReadoutInfo) -> Chart:
    """The figure: losses and times."""
    return Chart(
        first_plateau.panels(info),
        "Left: block means of the loss; the dotted lines are the levels. Right: a dot for each seed, and a diamond for "
        "their mean with its 95 % interval. Alike: initial states have noise of 0.01 instead of 1. The document does "
        "not state the initial weights: positive, U[0, 2/E], or signed, U[-1/√E, 1/√E].",
        columns=3,
    )
