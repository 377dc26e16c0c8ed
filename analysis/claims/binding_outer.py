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
REQUIRED_MEASURES = ()  # all it needs is measured during training
RAW, GIVEN = "binding/outer", "binding/outer_given_target"


class BindingOuterInfo(NamedTuple):
    """Growth of binding information from before training to its end, in bits, of each seed.

    Attributes:
        arms: `linked`, and the control `unlinked` without messages.
        raw: of `linked`.
        given: of `linked`, given the targets.
        control: of `unlinked`.
        control_given: of `unlinked`, given the targets.
    """

    arms: Arms
    raw: Numbers
    given: Numbers
    control: Numbers
    control_given: Numbers


def compute(arms: Arms) -> BindingOuterInfo:
    """The growth in both arms."""
    linked, unlinked = arms["linked"], arms["unlinked"]
    return BindingOuterInfo(
        arms, _grown(linked, RAW), _grown(linked, GIVEN), _grown(unlinked, RAW), _grown(unlinked, GIVEN)
    )


def findings(info: BindingOuterInfo) -> list[Finding]:
    """The parts of the claim: growth, raw and given the targets; secondary, the arm without messages."""
    bits = "bits, the end of training minus its beginning"
    return [
        above("binding information grows", info.raw, 0, bits),
        above("it grows given the targets, beyond what a common target causes", info.given, 0, bits),
        above("without messages it grows as well", info.control, 0, bits).secondary(),
        above("without messages it grows given the targets", info.control_given, 0, bits).secondary(),
        above(
            "with messages it grows more than without", info.raw - info.control, 0, "bits, paired by seed"
        ).secondary(),
    ]


def draw(info: BindingOuterInfo) -> Chart:
    """The figure: binding information and loss, as in the document, with both controls."""
    return Chart(
        [
            binding.panel(info.arms, RAW, "Binding information of the outputs"),
            binding.panel(info.arms, GIVEN, "Given the targets"),
            losses.panel(list(info.arms.values())),
        ],
        "Gaussian copula, corrected for bias, 1000 fixed games, after the last inner step. Experts that know the "
        "target have binding information without any communication. The controls for that are the arm without "
        "messages, and binding information given the targets.",
        columns=3,
    )


def _grown(arm: Arm, column: str) -> Numbers:
    return arm.last(column) - arm.first(column)
