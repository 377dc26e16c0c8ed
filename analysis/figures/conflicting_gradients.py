"""The document: gradients of single dimensions conflict, and nearly cancel, on plateaus."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.arms import Arm, Arms, Curve, Numbers
from analysis.chart import Chart, Level, Panel, groups, seeds
from analysis.evidence import Finding, below
from analysis.figures import losses
from analysis.needs import Need

CLAIM = "On plateaus the gradients of the single dimensions conflict and almost cancel each other."
NEEDS = (Need(("gradients",)),)
NEARLY = 0.25
"""The mean gradient's length over the mean length of the single ones below which they nearly cancel."""


class ConflictingGradients(NamedTuple):
    """What the figure shows.

    Attributes:
        arm: it.
        cosine: mean over pairs of dimensions, over training.
        cancellation: length of the mean gradient over the mean length, over training.
        on: means of both within plateaus above rung 0, of each seed.
        off: the same between them, before the task is solved.
    """

    arm: Arm
    cosine: Curve
    cancellation: Curve
    on: tuple[Numbers, Numbers]
    off: tuple[Numbers, Numbers]


def compute(arms: Arms) -> ConflictingGradients:
    """On plateaus and off them."""
    arm = arms["badger"]
    curves = cosine, cancellation = arm.curve("gradient/cosine_mean"), arm.curve("gradient/cancellation")
    on, off = ([_means(arm, curve, within) for curve in curves] for within in (True, False))
    return ConflictingGradients(arm, cosine, cancellation, (on[0], on[1]), (off[0], off[1]))


def findings(info: ConflictingGradients) -> list[Finding]:
    """The claim's parts; beside them plateaus against what lies between."""
    return [
        below("on plateaus the dimensions' gradients conflict", info.on[0], 0, "mean cosine of pairs of dimensions"),
        below(
            "on plateaus they nearly cancel", info.on[1], NEARLY,
            f"length of the mean gradient over the mean length (1: all alike, {info.arm.dims**-0.5:.2g}: orthogonal)",
        ),
        below(
            "on plateaus they cancel more than between them", info.on[1] - info.off[1], 0, "difference, paired by seed"
        ).beside(),
    ]  # fmt: skip


def draw(info: ConflictingGradients) -> Chart:
    """Both over training, on and off plateaus, and the loss."""
    orthogonal = info.arm.dims**-0.5
    cosine = Panel("Cosine of the dimensions' gradients", "iteration", "mean over pairs", [Level(0, "conflict below")])
    cosine.marks += seeds(info.cosine, 0, "")
    lengths = Panel("Length of the mean over the mean length", "iteration", "ratio", [Level(orthogonal, "orthogonal")])
    lengths.marks += seeds(info.cancellation, 0, "")
    names = ["on plateaus", "between them"]
    return Chart(
        [
            losses.panel([info.arm]), cosine, lengths,
            Panel("Cosine", "", "mean of pairs", [Level(0.0), *groups([info.on[0], info.off[0]], names)], ticks=names),
            Panel(
                "Length of the mean over the mean length", "", "ratio",
                [Level(orthogonal, "orthogonal"), *groups([info.on[1], info.off[1]], names)], ticks=names,
            ),
        ],
        "Gradients of the outer loss of each dimension on 256 fixed games at every snapshot; bottom: means within "
        "detected plateaus above rung 0, and between them until the task is solved.",
        columns=3,
    )  # fmt: skip


def _means(arm: Arm, curve: Curve, within: bool) -> Numbers:
    """The mean of a measure on plateaus above rung 0, or off them; NaN for a seed with no measurement there."""
    found = []
    for row, outcome in zip(curve.y, arm.outcomes, strict=True):
        resting = np.zeros(len(curve.x), dtype=bool)
        for rest in outcome.rests:
            resting |= (rest.plateau.rung > 0) & (curve.x >= rest.plateau.start) & (curve.x < rest.plateau.end)
        until = np.inf if outcome.solved_iteration is None else outcome.solved_iteration
        chosen = resting if within else ~resting & (curve.x < until)
        found.append(row[chosen & np.isfinite(row)].mean() if (chosen & np.isfinite(row)).any() else np.nan)
    return np.array(found)
