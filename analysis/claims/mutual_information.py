"""The document: mutual information between experts sits on a plateau, and then falls."""

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
REQUIRED_MEASURES = ()  # what it looks at is measured while runs train
FLAT = 0.1
"""Relative change up to which a stretch counts as a plateau: a tenth of what is there, either way."""


class MutualInformation(NamedTuple):
    """What the figure shows.

    Attributes:
        linked: the arm.
        unlinked: the control without links.
        pairs: of each pair of experts over training, in the first seed: bits.
        mean: mean over pairs, by arm.
        given: the same given the targets.
        rest: relative change, either way, from the first to the last measurement within a plateau of the loss
            (`relative_change`), mean over plateaus.
        before_escape: from the first measurement to the one at which chance is left: bits.
        fall: from its mean on the staircase to the last measurement: bits.
        fall_given: the same given the targets.
    """

    linked: Arm
    unlinked: Arm
    pairs: Curve
    mean: dict[str, Curve]
    given: dict[str, Curve]
    rest: Numbers
    before_escape: Numbers
    fall: Numbers
    fall_given: Numbers


def compute(arms: Arms) -> MutualInformation:
    """Its course, and what it does on the staircase and afterwards."""
    linked, unlinked = arms["linked"], arms["unlinked"]
    names = sorted(name for name in map(str, linked.measured) if re.fullmatch(r"mi/\d\d__\d\d", name))
    curves = [linked.curve(name) for name in names]
    mean = {name: arm.curve("mi/mean") for name, arm in arms.items()}
    given = {name: arm.curve("mi_given_target/mean") for name, arm in arms.items()}
    return MutualInformation(
        linked=linked,
        unlinked=unlinked,
        pairs=Curve(curves[0].x, np.stack([own.y[0] for own in curves])),
        mean=mean,
        given=given,
        rest=_rest(linked, mean["linked"]),
        before_escape=_before_escape(linked, mean["linked"]),
        fall=_fall(linked, mean["linked"]),
        fall_given=_fall(linked, given["linked"]),
    )


def findings(info: MutualInformation) -> list[Finding]:
    """The claim's parts; beside them the same given the targets."""
    bits = "bits, the last measurements minus the mean while the staircase is walked down"
    without = "without a plateau on which it was measured twice"
    unsolved = "that had not solved the task by nine tenths of the budget"
    return [
        below(
            "mutual information rests on the plateaus of the loss", info.rest, FLAT,
            "change relative to the mean of both values, either way", without,
        ),
        below("it is lower at the end than on the staircase", info.fall, 0, bits, unsolved),
        below("given the targets it is lower at the end", info.fall_given, 0, bits, unsolved).secondary(),
        below(
            "it has fallen by the time chance is left", info.before_escape, 0, "bits, then minus before training",
            "that stayed at chance, or left it before the second measurement",
        ).secondary(),
    ]  # fmt: skip


def draw(info: MutualInformation) -> Chart:
    """Pairs of one seed as in the document, the means with the control, and the loss."""
    pairs = Panel("Every pair of experts, one seed", "iteration", "bits")
    pairs.marks += [Line(info.pairs.x, row, 0, width=0.6, opacity=0.4) for row in info.pairs.y]
    panels = [pairs]
    for title, curves in (("Mean of pairs", info.mean), ("Mean of pairs, given the targets", info.given)):
        panel = Panel(title, "iteration", "bits")
        for place, (name, curve) in enumerate(curves.items()):
            panel.marks += seeds(curve, place, losses.in_words(name))
        panels.append(panel)
    loss = losses.panel([info.linked])
    blocks = info.linked.blocks()
    loss.marks.append(Line(blocks.x, blocks.y[0], 1, "the seed on the left above", width=1.6))
    return Chart(
        [*panels, loss],
        "Mutual information of hidden states after the last inner step: Gaussian copula, corrected for bias, 1000 "
        "fixed games, in the principal directions of the untrained states. Unlinked: experts that never hear each "
        "other. The document tells neither its estimator nor its unit.",
    )


def relative_change(first: float, last: float) -> float:
    """|last - first| over the mean of |first| and |last|: 0 (also where both are 0) to 2, the same both ways in time.

    For small changes it is what it is of the first value. But where there is little information, an estimate that is
    corrected for bias is noise about 0, and relative to the first value a change is of any size, or infinite.
    """
    size = (abs(first) + abs(last)) / 2
    return abs(last - first) / size if size else 0.0


def _rest(arm: Arm, curve: Curve) -> Numbers:
    """Relative change within plateaus above level 0 on which it was measured twice or more; else NaN."""
    found = []
    for row, outcome in zip(curve.y, arm.outcomes, strict=True):
        plateaus = outcome.unsolved_plateaus
        known = np.isfinite(row)
        within = [row[known & (curve.x >= plateau.start) & (curve.x < plateau.end)] for plateau in plateaus]
        changes = [relative_change(own[0], own[-1]) for own in within if len(own) > 1]
        found.append(float(np.mean(changes)) if changes else np.nan)
    return np.array(found)


def _before_escape(arm: Arm, curve: Curve) -> Numbers:
    """The last measurement until the escape minus the first of all; NaN for a seed that stays at chance."""
    found = []
    for row, outcome in zip(curve.y, arm.outcomes, strict=True):
        until = np.flatnonzero(curve.x <= (-1 if outcome.escape_iteration is None else outcome.escape_iteration))
        found.append(float(row[until[-1]] - row[0]) if len(until) > 1 else np.nan)
    return np.array(found)


def _fall(arm: Arm, curve: Curve) -> Numbers:
    """The mean of the last tenth of the budget minus that between escape and solution; NaN for the unsolved."""
    found = []
    for seed, outcome in enumerate(arm.outcomes):
        start, end = outcome.escape_iteration, outcome.solved_iteration
        late = curve.x >= 0.9 * arm.budget
        if start is None or end is None or end >= 0.9 * arm.budget:
            found.append(np.nan)
            continue
        on_ladder = (curve.x >= start) & (curve.x <= end)
        found.append(float(curve.y[seed, late].mean() - curve.y[seed, on_ladder].mean()))
    return np.array(found)
