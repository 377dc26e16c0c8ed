"""The document: binding information of the experts' outputs grows during training."""

from __future__ import annotations

from typing import NamedTuple

from badger_sweeps.reporting.inference.evidence import Finding, above
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers

from ..shared import binding, losses

CLAIM = (
    "Binding information of the experts' outputs grows during training (16 experts, 4 links, 4 numbers), which shows "
    "that their organisation grows."
)
REQUIRED_MEASURES = ()  # what it looks at is measured while runs train
RAW, GIVEN = "binding/outer", "binding/outer_given_target"


class BindingOuter(NamedTuple):
    """Growth from before training to its end, in bits, of each seed.

    Attributes:
        arms: linked and unlinked.
        raw: with links.
        given: with links, given the targets.
        control: raw, without links.
        control_given: without links, given the targets.
    """

    arms: Arms
    raw: Numbers
    given: Numbers
    control: Numbers
    control_given: Numbers


def compute(arms: Arms) -> BindingOuter:
    """How much it grows."""
    linked, unlinked = arms["linked"], arms["unlinked"]
    return BindingOuter(
        arms, _grown(linked, RAW), _grown(linked, GIVEN), _grown(unlinked, RAW), _grown(unlinked, GIVEN)
    )


def findings(info: BindingOuter) -> list[Finding]:
    """That it grows, and that this is not just the common target; beside them the arm without links."""
    bits = "bits, the end of training minus its beginning"
    return [
        above("binding information grows", info.raw, 0, bits),
        above("it grows given the targets: more than experts that know the target have anyway", info.given, 0, bits),
        above("without any links it grows as well", info.control, 0, bits).secondary(),
        above("without any links it grows given the targets", info.control_given, 0, bits).secondary(),
        above("with links it grows more than without", info.raw - info.control, 0, "bits, paired by seed").secondary(),
    ]


def draw(info: BindingOuter) -> Chart:
    """Binding information above the loss, as in the document, with both controls."""
    return Chart(
        [
            binding.panel(info.arms, RAW, "Binding information of the outputs"),
            binding.panel(info.arms, GIVEN, "Given the targets"),
            losses.panel(list(info.arms.values())),
        ],
        "Gaussian copula, corrected for bias, 1000 fixed games, after the last inner step. Experts that know the "
        "target have binding information without any communication: hence the arm without links, and what is left "
        "once the targets are taken out.",
        columns=3,
    )


def _grown(arm: Arm, column: str) -> Numbers:
    return arm.last(column) - arm.first(column)
