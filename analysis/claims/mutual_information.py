"""The document: the mutual information between experts is on a plateau, and then falls."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, below
from badger_sweeps.reporting.plotting.chart import Chart, Line, Panel, seeds
from badger_sweeps.reporting.reading.arms import Arm, Arms, Curve, Numbers

from ..shared import losses

CLAIM = (
    "The mutual information between the hidden states of pairs of experts sits on a plateau and then falls: experts "
    "become more diverse."
)
REQUIRED_MEASURES = ()  # all it needs is measured during training
FLAT = 0.1
"""The largest relative change, up or down, of mutual information on a plateau."""


class MutualInformationInfo(NamedTuple):
    """Mutual information in bits over training, and its changes in each seed of `linked`.

    Attributes:
        linked: the arm with messages.
        unlinked: the control without messages.
        pairs: of each pair of experts over training, in the first seed.
        mean: mean over pairs, by arm.
        given: mean over pairs, given the targets, by arm.
        plateau_change: relative change (`relative_change`) from the first to the last measurement on a plateau of the
            loss, mean over plateaus; NaN for a seed without a plateau with two measurements.
        escape_change: from the first measurement to the last one until the escape.
        fall: from the mean between escape and solution to the mean of the last tenth of the budget.
        fall_given: the same, given the targets.
    """

    linked: Arm
    unlinked: Arm
    pairs: Curve
    mean: dict[str, Curve]
    given: dict[str, Curve]
    plateau_change: Numbers
    escape_change: Numbers
    fall: Numbers
    fall_given: Numbers


def compute(arms: Arms) -> MutualInformationInfo:
    """The curves of both arms, and the changes on plateaus, until the escape and after the solution."""
    linked, unlinked = arms["linked"], arms["unlinked"]
    names = sorted(name for name in map(str, linked.measured) if re.fullmatch(r"mi/\d\d__\d\d", name))
    curves = [linked.curve(name) for name in names]
    mean = {name: arm.curve("mi/mean") for name, arm in arms.items()}
    given = {name: arm.curve("mi_given_target/mean") for name, arm in arms.items()}
    return MutualInformationInfo(
        linked=linked,
        unlinked=unlinked,
        pairs=Curve(curves[0].x, np.stack([curve.y[0] for curve in curves])),
        mean=mean,
        given=given,
        plateau_change=_plateau_change(linked, mean["linked"]),
        escape_change=_escape_change(linked, mean["linked"]),
        fall=_fall(linked, mean["linked"]),
        fall_given=_fall(linked, given["linked"]),
    )


def findings(info: MutualInformationInfo) -> list[Finding]:
    """The parts of the claim; secondary, the fall given the targets, and the change until the escape."""
    bits = "bits, mean of the last tenth of the budget minus mean between escape and solution"
    without = "without a plateau on which it was measured twice"
    unsolved = "that had not solved the task by nine tenths of the budget"
    return [
        below(
            "mutual information is constant on the plateaus of the loss", info.plateau_change, FLAT,
            "relative change on a plateau, up or down", without,
        ),
        below("it is lower at the end than between escape and solution", info.fall, 0, bits, unsolved),
        below("given the targets it is lower at the end", info.fall_given, 0, bits, unsolved).secondary(),
        below(
            "it has fallen by the escape from the first plateau", info.escape_change, 0,
            "bits, at the escape minus before training",
            "that did not escape, or escaped before the second measurement",
        ).secondary(),
    ]  # fmt: skip


def draw(info: MutualInformationInfo) -> Chart:
    """The figure: the pairs of one seed as in the document, the means with the control, and the loss."""
    pairs = Panel("Every pair of experts, one seed", "iteration", "bits")
    pairs.marks += [Line(info.pairs.x, row, 0, width=0.6, opacity=0.4) for row in info.pairs.y]
    panels = [pairs]
    for title, curves in (("Mean of pairs", info.mean), ("Mean of pairs, given the targets", info.given)):
        panel = Panel(title, "iteration", "bits")
        for color, (name, curve) in enumerate(curves.items()):
            panel.marks += seeds(curve, color, losses.label(name))
        panels.append(panel)
    loss = losses.panel([info.linked])
    blocks = info.linked.blocks()
    loss.marks.append(Line(blocks.x, blocks.y[0], 1, "seed of the first panel", width=1.6))
    return Chart(
        [*panels, loss],
        "Mutual information of hidden states after the last inner step: Gaussian copula, corrected for bias, 1000 "
        "fixed games, in the principal directions of the untrained states. Unlinked: experts without messages. The "
        "document states neither its estimator nor its unit.",
    )


def relative_change(first: float, last: float) -> float:
    """The symmetric relative change |last - first| over the mean of |first| and |last|, from 0 to 2; 0 if both are 0.

    For small changes it is close to the change relative to the first value. That one is unsuitable here: where there is
    little information, an estimate corrected for bias is noise about 0, so that it may be arbitrarily large.
    """
    size = (abs(first) + abs(last)) / 2
    return abs(last - first) / size if size else 0.0


def _plateau_change(arm: Arm, curve: Curve) -> Numbers:
    """The relative change of each seed on its plateaus above level 0, mean over those with two measurements or more.

    NaN for a seed without such a plateau.
    """
    found = []
    for row, outcome in zip(curve.y, arm.outcomes, strict=True):
        plateaus = outcome.unsolved_plateaus
        known = np.isfinite(row)
        within = [row[known & (curve.x >= plateau.start) & (curve.x < plateau.end)] for plateau in plateaus]
        changes = [relative_change(values[0], values[-1]) for values in within if len(values) > 1]
        found.append(float(np.mean(changes)) if changes else np.nan)
    return np.array(found)


def _escape_change(arm: Arm, curve: Curve) -> Numbers:
    """The last measurement until the escape minus the first one; NaN for a seed that does not escape."""
    found = []
    for row, outcome in zip(curve.y, arm.outcomes, strict=True):
        until = np.flatnonzero(curve.x <= (-1 if outcome.escape_iteration is None else outcome.escape_iteration))
        found.append(float(row[until[-1]] - row[0]) if len(until) > 1 else np.nan)
    return np.array(found)


def _fall(arm: Arm, curve: Curve) -> Numbers:
    """The mean of the last tenth of the budget minus that between escape and solution.

    NaN for a seed that has not solved the task by nine tenths of the budget.
    """
    found = []
    for seed, outcome in enumerate(arm.outcomes):
        start, end = outcome.escape_iteration, outcome.solved_iteration
        late = curve.x >= 0.9 * arm.budget
        if start is None or end is None or end >= 0.9 * arm.budget:
            found.append(np.nan)
            continue
        on_staircase = (curve.x >= start) & (curve.x <= end)
        found.append(float(curve.y[seed, late].mean() - curve.y[seed, on_staircase].mean()))
    return np.array(found)
